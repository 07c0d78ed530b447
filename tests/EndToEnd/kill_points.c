/* Preloaded into a program under test (ld.so(8), LD_PRELOAD): counts the points right before and right after each write of one LiteDB file,
 * and kills the program at the one that the test has chosen. So the points are those that the unchanged program comes by.
 *
 * LiteDB writes a change to its log first, and empties the log when the change is where it belongs: a write begins with the first bytes that
 * go to an empty log, and is over when that is empty again.
 *
 *   KILL_POINTS_LOG   the LiteDB log whose writes are counted, as it is called in /proc/self/fd
 *   KILL_POINTS_FILE  what the test shares with it: see struct shared
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BEFORE, AFTER, MOST = 4096 };

struct shared {
  int32_t count;  /* points that were passed */
  int32_t chosen; /* the number of the one to die at, from 1; 0: none */
  int32_t killed; /* the number of the one it died at; 0: it did not */
  int32_t unused;
  struct { int64_t at, which; } points[MOST]; /* Unix time in nanoseconds; BEFORE or AFTER */
};

static struct shared *shared;
static const char *log_path;
static int writing;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("KILL_POINTS_FILE");
  log_path = getenv("KILL_POINTS_LOG");
  if (!file || !log_path) return;
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) shared = map;
}

static int is_log(int fd) {
  if (!shared) return 0;
  char link[32], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return !strcmp(path, log_path);
}

static void pass(int which) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int number = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
  if (number <= MOST) {
    shared->points[number - 1].at = now.tv_sec * 1000000000LL + now.tv_nsec;
    shared->points[number - 1].which = which;
  }
  if (number != shared->chosen) return;
  shared->chosen = 0;
  shared->killed = number;
  for (;;) syscall(SYS_kill, getpid(), SIGKILL);
}

static void begun(int fd) {
  if (!is_log(fd) || __atomic_exchange_n(&writing, 1, __ATOMIC_SEQ_CST)) return;
  pass(BEFORE);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  static ssize_t (*next)(int, const void *, size_t, off64_t);
  if (!next) next = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  begun(fd);
  return next(fd, bytes, count, at);
}

int ftruncate64(int fd, off64_t length) {
  static int (*next)(int, off64_t);
  if (!next) next = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
  int result = next(fd, length);
  if (length == 0 && result == 0 && is_log(fd) && __atomic_exchange_n(&writing, 0, __ATOMIC_SEQ_CST)) pass(AFTER);
  return result;
}
