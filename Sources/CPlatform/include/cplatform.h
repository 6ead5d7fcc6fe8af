/* What of the C library Swift cannot call, or is handed too late. */
#pragma once

/* The program's arguments as the loader passed them; 0 and NULL where the C library does not pass them on. */
int cplatform_argument_count(void);
const char *cplatform_argument(int index);

/* Flags of open(2) for a file without a name in a folder; 0 where the system has none. */
int cplatform_unnamed_file(void);

/* Lets two names change places in one step. 0, or -1 and errno: EINVAL or ENOSYS where the system or the file system
 * cannot. */
int cplatform_exchange(const char *a, const char *b);
