/* SPDX-License-Identifier: MIT */
/*
 * transaction -- one request and its answer, as libmicrohttpd's callbacks see them.
 *
 * Owner:   begin creates, end frees; in between the transaction is libmicrohttpd's
 *          request context.
 * Threads: the event loop of the connection.
 */
#ifndef RECEIVER_TRANSACTION_H
#define RECEIVER_TRANSACTION_H

#include <microhttpd.h>

/* MHD_OPTION_URI_LOG_CALLBACK: the request line has been read. */
void *transaction_begin(void *server, const char *target, struct MHD_Connection *mhd);

/* The access handler. */
enum MHD_Result transaction_go_on(void *server, struct MHD_Connection *mhd,
                                  const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *n,
                                  void **transaction);

/* MHD_OPTION_NOTIFY_COMPLETED: answered, or the connection is gone. */
void transaction_end(void *server, struct MHD_Connection *mhd, void **transaction,
                     enum MHD_RequestTerminationCode code);

#endif
