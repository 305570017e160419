/* Calls to the system that fail, fall short or are the last of their process.

   Loaded before the C library, with LD_PRELOAD, by scripts/soak_nursery.py, which builds it. A
   process arms it once, with the folder below which it strikes, the calls that it counts there,
   and which of them in turn meets what. Until then, and everywhere else, calls pass. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* In the order of CALLS in scripts/soak_nursery.py. */
enum call { OPEN, CREATE, READ, WRITE, FSYNC, RENAME, UNLINK, MKDIR, RMDIR, CLOSE, FLOCK,
            OPENDIR, READDIR, STAT, N_CALLS };
/* In the order of EFFECTS there. */
enum effect { FAILS, FALLS_SHORT, DIES_BEFORE, DIES_AFTER };
enum verdict { PASS, FAIL, HALF, LAST };

/* Shared with the process that watches, which reads it when this one is gone. */
struct control {
    int calls;      /* a bit for each that is counted as one */
    int effect;
    int error;      /* errno of those that fail */
    int position;   /* which of those counted, from 1; 0 for none */
    int lasting;    /* whether all that follow it fail as well */
    int counted;
    int struck;
    int counts[N_CALLS];
    char where[256];   /* the path of the first that was struck, where the call has one */
    char folder[1024];
};

static struct control *control;
#define MOST 65536
static char below[MOST];   /* descriptors of what lies below the folder */

void faults_arm(struct control *given) { control = given; }

static int is_below(const char *path)
{
    size_t n;
    if (control == NULL || path == NULL)
        return 0;
    n = strlen(control->folder);
    return strncmp(path, control->folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static int is_known(int descriptor)
{
    return control != NULL && descriptor >= 0 && descriptor < MOST && below[descriptor];
}

static void remember(int descriptor)
{
    if (descriptor >= 0 && descriptor < MOST)
        below[descriptor] = 1;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* What becomes of a call that is of interest. */
static enum verdict judged(enum call call, const char *path)
{
    int turn;
    __atomic_add_fetch(&control->counts[call], 1, __ATOMIC_SEQ_CST);
    if (!(control->calls & (1 << call)))
        return PASS;
    turn = __atomic_add_fetch(&control->counted, 1, __ATOMIC_SEQ_CST);
    if (control->position == 0 || turn < control->position)
        return PASS;
    if (turn > control->position) {
        errno = control->error;
        return control->lasting ? FAIL : PASS;
    }
    control->struck = 1;
    if (path != NULL)
        strncpy(control->where, path, sizeof control->where - 1);
    if (control->effect == DIES_BEFORE)
        die();
    errno = control->error;
    return control->effect == FAILS ? FAIL : control->effect == FALLS_SHORT ? HALF : LAST;
}

static void *original(void **known, const char *name)
{
    if (*known == NULL)
        *known = dlsym(RTLD_NEXT, name);
    return *known;
}

/* The C library's own function of this name and type. */
#define ORIGINAL(type, name) \
    static void *known_; __typeof__(type) *original_ = original(&known_, name)

/* A call that gives 0 or a descriptor, and -1 where it fails. */
#define GUARDED(is_of_interest, call, path, done)                                              \
    do {                                                                                       \
        enum verdict verdict_ = (is_of_interest) ? judged(call, path) : PASS;                  \
        if (verdict_ == FAIL)                                                                  \
            return -1;                                                                         \
        result = (done);                                                                       \
        if (verdict_ == LAST)                                                                  \
            die();                                                                             \
    } while (0)

/* The rest of a function that opens: its mode, whether it creates, what is known of the result. */
#define OPENED(type, name, done)                                                               \
    int result, interesting = is_below(path);                                                  \
    mode_t mode = 0;                                                                           \
    ORIGINAL(type, name);                                                                      \
    if (flags & O_CREAT) {                                                                     \
        va_list rest;                                                                          \
        va_start(rest, flags);                                                                 \
        mode = va_arg(rest, mode_t);                                                           \
        va_end(rest);                                                                          \
    }                                                                                          \
    GUARDED(interesting, flags & O_CREAT ? CREATE : OPEN, path, done);                         \
    if (interesting)                                                                           \
        remember(result);                                                                      \
    return result

#define DEFINE_OPEN(name)                                                                      \
    int name(const char *path, int flags, ...)                                                 \
    {                                                                                          \
        OPENED(int (const char *, int, ...), #name, original_(path, flags, mode));             \
    }

#define DEFINE_OPENAT(name)                                                                    \
    int name(int folder, const char *path, int flags, ...)                                     \
    {                                                                                          \
        OPENED(int (int, const char *, int, ...), #name, original_(folder, path, flags, mode));\
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* The rest of a function that moves bytes: all, half of them where it falls short, or none. */
#define MOVED(call, type, name, done)                                                          \
    ssize_t result;                                                                            \
    ORIGINAL(type, name);                                                                      \
    enum verdict verdict = is_known(descriptor) ? judged(call, NULL) : PASS;                   \
    if (verdict == FAIL)                                                                       \
        return -1;                                                                             \
    if (verdict == HALF && size > 1)                                                           \
        size /= 2;                                                                             \
    result = (done);                                                                           \
    if (verdict == LAST)                                                                       \
        die();                                                                                 \
    return result

#define DEFINE_MOVE(name, call, bytes)                                                         \
    ssize_t name(int descriptor, bytes buffer, size_t size)                                    \
    {                                                                                          \
        MOVED(call, ssize_t (int, bytes, size_t), #name, original_(descriptor, buffer, size)); \
    }

#define DEFINE_MOVE_AT(name, call, bytes, place)                                               \
    ssize_t name(int descriptor, bytes buffer, size_t size, place offset)                      \
    {                                                                                          \
        MOVED(call, ssize_t (int, bytes, size_t, place), #name,                                \
              original_(descriptor, buffer, size, offset));                                    \
    }

DEFINE_MOVE(read, READ, void *)
DEFINE_MOVE(write, WRITE, const void *)
DEFINE_MOVE_AT(pread, READ, void *, off_t)
DEFINE_MOVE_AT(pread64, READ, void *, off64_t)
DEFINE_MOVE_AT(pwrite, WRITE, const void *, off_t)
DEFINE_MOVE_AT(pwrite64, WRITE, const void *, off64_t)

#define DEFINE_OF_DESCRIPTOR(name, call)                                                       \
    int name(int descriptor)                                                                   \
    {                                                                                          \
        int result;                                                                            \
        ORIGINAL(int (int), #name);                                                         \
        GUARDED(is_known(descriptor), call, NULL, original_(descriptor));                      \
        return result;                                                                         \
    }

DEFINE_OF_DESCRIPTOR(fsync, FSYNC)
DEFINE_OF_DESCRIPTOR(fdatasync, FSYNC)

/* A descriptor is gone even where to close it fails. */
int close(int descriptor)
{
    int result, error, interesting = is_known(descriptor);
    enum verdict verdict = interesting ? judged(CLOSE, NULL) : PASS;
    ORIGINAL(int (int), "close");
    error = errno;
    if (interesting)
        below[descriptor] = 0;
    result = original_(descriptor);
    if (verdict == LAST)
        die();
    if (verdict == FAIL) {
        errno = error;
        return -1;
    }
    return result;
}

int flock(int descriptor, int operation)
{
    int result;
    ORIGINAL(int (int, int), "flock");
    GUARDED(is_known(descriptor), FLOCK, NULL, original_(descriptor, operation));
    return result;
}

int rename(const char *from, const char *to)
{
    int result;
    ORIGINAL(int (const char *, const char *), "rename");
    GUARDED(is_below(from) || is_below(to), RENAME, to, original_(from, to));
    return result;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    int result;
    ORIGINAL(int (int, const char *, int, const char *), "renameat");
    GUARDED(is_below(from) || is_below(to), RENAME, to,
            original_(from_folder, from, to_folder, to));
    return result;
}

#define DEFINE_OF_PATH(name, call)                                                             \
    int name(const char *path)                                                                 \
    {                                                                                          \
        int result;                                                                            \
        ORIGINAL(int (const char *), #name);                                                \
        GUARDED(is_below(path), call, path, original_(path));                                  \
        return result;                                                                         \
    }

DEFINE_OF_PATH(unlink, UNLINK)
DEFINE_OF_PATH(rmdir, RMDIR)

int unlinkat(int folder, const char *path, int flags)
{
    int result;
    ORIGINAL(int (int, const char *, int), "unlinkat");
    GUARDED(is_below(path), flags & AT_REMOVEDIR ? RMDIR : UNLINK, path,
            original_(folder, path, flags));
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    int result;
    ORIGINAL(int (const char *, mode_t), "mkdir");
    GUARDED(is_below(path), MKDIR, path, original_(path, mode));
    return result;
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    int result;
    ORIGINAL(int (int, const char *, mode_t), "mkdirat");
    GUARDED(is_below(path), MKDIR, path, original_(folder, path, mode));
    return result;
}

DIR *opendir(const char *path)
{
    DIR *result;
    int interesting = is_below(path);
    enum verdict verdict = interesting ? judged(OPENDIR, path) : PASS;
    ORIGINAL(DIR *(const char *), "opendir");
    if (verdict == FAIL)
        return NULL;
    result = original_(path);
    if (verdict == LAST)
        die();
    if (interesting && result != NULL)
        remember(dirfd(result));
    return result;
}

int closedir(DIR *stream)
{
    int descriptor = dirfd(stream);
    ORIGINAL(int (DIR *), "closedir");
    if (is_known(descriptor))
        below[descriptor] = 0;
    return original_(stream);
}

#define DEFINE_READDIR(name, entry)                                                            \
    struct entry *name(DIR *stream)                                                            \
    {                                                                                          \
        struct entry *result;                                                                  \
        enum verdict verdict = is_known(dirfd(stream)) ? judged(READDIR, NULL) : PASS;         \
        ORIGINAL(struct entry *(DIR *), #name);                                             \
        if (verdict == FAIL)                                                                   \
            return NULL;                                                                       \
        if (verdict == PASS)                                                                   \
            return original_(stream);                                                          \
        result = original_(stream);                                                            \
        if (verdict == LAST)                                                                   \
            die();                                                                             \
        return result;                                                                         \
    }

DEFINE_READDIR(readdir, dirent)
DEFINE_READDIR(readdir64, dirent64)

#define DEFINE_STAT(name, buffer)                                                              \
    int name(const char *path, struct buffer *found)                                           \
    {                                                                                          \
        int result;                                                                            \
        ORIGINAL(int (const char *, struct buffer *), #name);                               \
        GUARDED(is_below(path), STAT, path, original_(path, found));                           \
        return result;                                                                         \
    }

DEFINE_STAT(stat, stat)
DEFINE_STAT(stat64, stat64)
DEFINE_STAT(lstat, stat)
DEFINE_STAT(lstat64, stat64)

#define DEFINE_STAT_AT(name, buffer)                                                           \
    int name(int folder, const char *path, struct buffer *found, int flags)                    \
    {                                                                                          \
        int result;                                                                            \
        ORIGINAL(int (int, const char *, struct buffer *, int), #name);                     \
        GUARDED(is_below(path), STAT, path, original_(folder, path, found, flags));            \
        return result;                                                                         \
    }

DEFINE_STAT_AT(fstatat, stat)
DEFINE_STAT_AT(fstatat64, stat64)
