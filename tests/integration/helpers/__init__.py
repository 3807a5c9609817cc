# SPDX-License-Identifier: MIT
"""What the integration tests share: real programs, real clients, the store on disk."""
