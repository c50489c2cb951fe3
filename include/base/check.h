/* SPDX-License-Identifier: MIT */
/* MUST_CHECK: the caller may not ignore the return value. */
#ifndef DOTSTUB_BASE_CHECK_H
#define DOTSTUB_BASE_CHECK_H

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
