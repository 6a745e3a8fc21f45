/* A disk that loses power, fails and fills up. Preloaded into the gateway, it stands between the program and its
 * database's two files, the database and its log. The file of shared memory beside them is rebuilt from the log.
 *
 *   DISK_FILE    the database's path
 *   DISK_SYNCED  a folder that holds at any moment what a power cut would leave: of each file the bytes as they were
 *                at its last sync, and the file itself only once its folder was synced after it was made (until then
 *                it is there as NAME.new)
 *   DISK_FAULTS  a folder in which a test makes files; each is a fault while it is there:
 *     no-sync        syncs do nothing and say that all is well
 *     log-sync       the log's next sync fails, and as with some kernels later ones are well without what it had
 *     database-sync  the same of the database
 *     full           a file that would grow has no room, and the disk says that nothing is free
 *     nearly-full    the disk says that nothing is free
 *     small          the disk has 24 MiB, of which the database and its log take what they have
 *     read-only      nothing in the database's folder can be opened for writing, or written
 *     database-read-only  the database alone cannot be opened for writing
 *     cut-in-fold    the process dies where it has written a few of the log's pages to the database
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { NONE, DATABASE, LOG, FOLDER, FILES, MOST_FDS = 65536 };

struct range { off_t from, to; };

/* What was written to a file since its last sync. */
static struct unsynced {
    struct range *ranges;
    size_t count, room;
    int cut;          /* Whether it was also made shorter, */
    off_t shortest;   /* and how short at the least. */
} unsynced[FILES];

static char path[FILES][4096], synced[FILES][4096], faults[4096];
static unsigned char file_of[MOST_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_statvfs)(const char *, struct statvfs *);

__attribute__((constructor)) static void start(void) {
    real_open = dlsym(RTLD_NEXT, "open");
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_statvfs = dlsym(RTLD_NEXT, "statvfs");
    const char *file = getenv("DISK_FILE"), *keep = getenv("DISK_SYNCED"), *fail = getenv("DISK_FAULTS");
    const char *name = file ? strrchr(file, '/') : NULL;
    if (!name || !keep || !fail) {
        fputs("the disk needs DISK_FILE (a whole path), DISK_SYNCED and DISK_FAULTS\n", stderr);
        _exit(99);
    }
    snprintf(path[DATABASE], sizeof path[0], "%s", file);
    snprintf(path[LOG], sizeof path[0], "%s-wal", file);
    snprintf(path[FOLDER], sizeof path[0], "%.*s", (int)(name - file), file);
    snprintf(synced[DATABASE], sizeof synced[0], "%s%s", keep, name);
    snprintf(synced[LOG], sizeof synced[0], "%s%s-wal", keep, name);
    snprintf(faults, sizeof faults, "%s", fail);
}

static void fault_path(char *out, const char *name) { snprintf(out, 4200, "%s/%s", faults, name); }

static int fault(const char *name) {
    char at[4200];
    fault_path(at, name);
    return access(at, F_OK) == 0;
}

static int which(const char *name) {
    for (int file = DATABASE; file < FILES; file++)
        if (strcmp(name, path[file]) == 0) return file;
    return NONE;
}

static int of(int fd) { return fd >= 0 && fd < MOST_FDS ? file_of[fd] : NONE; }

static int opened(int fd, const char *name) {
    if (fd >= 0 && fd < MOST_FDS) file_of[fd] = (unsigned char)which(name);
    return fd;
}

/* Whether opening must fail, as on a disk that can only be read. */
static int barred(const char *name, int flags) {
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT)) return 0;
    if ((flags & O_EXCL) && access(name, F_OK) == 0) return 0; /* It fails for another reason. */
    int in_folder = strncmp(name, path[FOLDER], strlen(path[FOLDER])) == 0;
    if (!(in_folder && fault("read-only")) && !(which(name) == DATABASE && fault("database-read-only"))) return 0;
    errno = EROFS;
    return 1;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, mode_t); va_end(a); }

int open(const char *name, int flags, ...) {
    MODE(flags)
    return barred(name, flags) ? -1 : opened(real_open(name, flags, mode), name);
}

int open64(const char *name, int flags, ...) {
    MODE(flags)
    return barred(name, flags) ? -1 : opened(real_open(name, flags, mode), name);
}

int openat(int at, const char *name, int flags, ...) {
    MODE(flags)
    return barred(name, flags) ? -1 : opened(real_openat(at, name, flags, mode), name);
}

int openat64(int at, const char *name, int flags, ...) {
    MODE(flags)
    return barred(name, flags) ? -1 : opened(real_openat(at, name, flags, mode), name);
}

int close(int fd) {
    if (of(fd) != NONE) file_of[fd] = NONE;
    return real_close(fd);
}

static void note(int file, off_t from, off_t to) {
    pthread_mutex_lock(&lock);
    struct unsynced *u = &unsynced[file];
    if (u->count > 0 && u->ranges[u->count - 1].to == from) {
        u->ranges[u->count - 1].to = to;
    } else {
        if (u->count == u->room) {
            u->room = u->room ? u->room * 2 : 64;
            u->ranges = realloc(u->ranges, u->room * sizeof *u->ranges);
            if (!u->ranges) abort();
        }
        u->ranges[u->count++] = (struct range){from, to};
    }
    pthread_mutex_unlock(&lock);
}

/* Whether writing must fail. */
static int refused(int fd, off_t to) {
    struct stat now;
    errno = fault("read-only") ? EROFS
          : fault("full") && fstat(fd, &now) == 0 && to > now.st_size ? ENOSPC : 0;
    return errno != 0;
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off_t from) {
    if (refused(fd, from + (off_t)count)) return -1;
    ssize_t written = real_pwrite(fd, bytes, count, from);
    if (written > 0) note(of(fd), from, from + written);
    static int folded;
    if (of(fd) == DATABASE && fault("cut-in-fold") && ++folded == 4) kill(getpid(), SIGKILL);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t from) {
    return of(fd) == NONE ? real_pwrite(fd, bytes, count, from) : write_at(fd, bytes, count, from);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t from) { return pwrite(fd, bytes, count, from); }

ssize_t write(int fd, const void *bytes, size_t count) {
    if (of(fd) == NONE) return real_write(fd, bytes, count);
    off_t from = lseek(fd, 0, SEEK_CUR);
    ssize_t written = write_at(fd, bytes, count, from);
    if (written > 0) lseek(fd, from + written, SEEK_SET);
    return written;
}

int ftruncate(int fd, off_t size) {
    int file = of(fd);
    if (file != NONE && refused(fd, size)) return -1;
    int done = real_ftruncate(fd, size);
    if (done == 0 && file != NONE) {
        pthread_mutex_lock(&lock);
        struct unsynced *u = &unsynced[file];
        u->shortest = u->cut && u->shortest < size ? u->shortest : size;
        u->cut = 1;
        pthread_mutex_unlock(&lock);
    }
    return done;
}

int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

/* Copies what was written since the last sync to where the synced bytes are. The program's own descriptor is read:
 * another one's end would drop the program's locks. */
static void keep(int fd, int file) {
    struct unsynced *u = &unsynced[file];
    char made[4200];
    snprintf(made, sizeof made, "%s.new", synced[file]);
    const char *name = access(synced[file], F_OK) == 0 ? synced[file] : made;
    int to = real_open(name, O_RDWR | O_CREAT, 0600);
    struct stat now;
    if (to < 0 || fstat(fd, &now) != 0) abort();
    if (u->cut && real_ftruncate(to, u->shortest) != 0) abort();
    for (size_t n = 0; n < u->count; n++) {
        char bytes[65536];
        for (off_t at = u->ranges[n].from; at < u->ranges[n].to;) {
            off_t left = u->ranges[n].to - at;
            ssize_t got = pread(fd, bytes, left < (off_t)sizeof bytes ? (size_t)left : sizeof bytes, at);
            if (got <= 0) break; /* It was made shorter since. */
            if (real_pwrite(to, bytes, (size_t)got, at) != got) abort();
            at += got;
        }
    }
    if (real_ftruncate(to, now.st_size) != 0) abort();
    real_close(to);
}

/* A folder's sync makes the files in it lasting. */
static void keep_names(void) {
    for (int file = DATABASE; file <= LOG; file++) {
        char made[4200];
        snprintf(made, sizeof made, "%s.new", synced[file]);
        rename(made, synced[file]);
    }
}

static int sync_with(int (*real)(int), int fd) {
    int file = of(fd);
    if (file == NONE) return real(fd);
    if (fault("no-sync")) return 0;
    const char *failing = file == LOG ? "log-sync" : file == DATABASE ? "database-sync" : NULL;
    int fails = failing && fault(failing);
    pthread_mutex_lock(&lock);
    if (file == FOLDER) keep_names();
    else if (!fails) keep(fd, file);
    unsynced[file].count = 0;
    unsynced[file].cut = 0;
    pthread_mutex_unlock(&lock);
    if (!fails) return real(fd);
    char at[4200];
    fault_path(at, failing);
    real_unlink(at);
    errno = EIO;
    return -1;
}

int fsync(int fd) { return sync_with(real_fsync, fd); }

int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }

int unlink(const char *name) {
    int file = which(name), done = real_unlink(name);
    if (done == 0 && (file == DATABASE || file == LOG)) {
        char made[4200];
        snprintf(made, sizeof made, "%s.new", synced[file]);
        real_unlink(made);
        real_unlink(synced[file]);
    }
    return done;
}

int statvfs(const char *name, struct statvfs *found) {
    int done = real_statvfs(name, found);
    if (done == 0 && fault("small")) {
        struct stat of;
        off_t used = 0, size = 24 << 20;
        for (int file = DATABASE; file <= LOG; file++)
            if (stat(path[file], &of) == 0) used += of.st_size;
        found->f_blocks = (fsblkcnt_t)size / found->f_frsize;
        found->f_bfree = found->f_bavail = (fsblkcnt_t)(used < size ? size - used : 0) / found->f_frsize;
    }
    if (done == 0 && (fault("full") || fault("nearly-full"))) found->f_bfree = found->f_bavail = 0;
    return done;
}

int statvfs64(const char *name, struct statvfs64 *found) { return statvfs(name, (struct statvfs *)found); }
