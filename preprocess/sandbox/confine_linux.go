package sandbox

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// confine gives up every right of this process that decoding does not need, for good, and
// returns what the kernel keeps it from and how large it is. The limits of memory and
// processor time are set by the parent, for each image.
func confine() (p protection, size baseline, err error) {
	// The runtime's timers open files when the first one is used, and its collector starts
	// threads.
	time.Sleep(time.Millisecond)
	runtime.GC()
	debug.FreeOSMemory()
	if size, err = measure(); err != nil {
		return p, size, fmt.Errorf("read the size of the process: %w", err)
	}
	if err := restoreTimeLimit(); err != nil {
		return p, size, err
	}
	if p.Landlock, err = forbidFiles(); err != nil {
		return p, size, fmt.Errorf("landlock: %w", err)
	}
	// No core dumps, as an image would be in them; no byte written to a file, and no
	// file opened.
	for _, resource := range []int{unix.RLIMIT_CORE, unix.RLIMIT_FSIZE, unix.RLIMIT_NOFILE} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{}); err != nil {
			return p, size, fmt.Errorf("setrlimit: %w", err)
		}
	}
	if p.Seccomp, err = forbidSystemCalls(); err != nil {
		return p, size, fmt.Errorf("seccomp: %w", err)
	}
	return p, size, nil
}

// restoreTimeLimit makes the signal for too much processor time end the process: Go's runtime
// ignores it.
func restoreTimeLimit() error {
	const signalSet = 8              // bytes
	var usual [64 / signalSet]uint64 // a struct sigaction of zeros: the default action
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGXCPU), uintptr(unsafe.Pointer(&usual)), 0, signalSet, 0, 0)
	if errno != 0 {
		return fmt.Errorf("rt_sigaction: %w", errno)
	}
	return nil
}

// forbidFiles makes every path inaccessible, and what else Landlock of this kernel can: TCP,
// signals to other processes, abstract sockets. It returns the version of Landlock, 0 for none.
func forbidFiles() (version int, err error) {
	version, err = llsys.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return 0, nil
	}
	return version, landlock.V6.BestEffort().Restrict()
}

// systemCalls are those that Go's runtime and the decoders use when they have been warmed up.
// The names that an architecture lacks are left out.
var systemCalls = []string{
	"read", "write", // of the files that are open
	"futex", "futex_time64", "sched_yield", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
	"clock_gettime", "clock_gettime64", "gettimeofday", "getrandom", "sysinfo", "sched_getaffinity",
	"epoll_wait", "epoll_pwait", "epoll_pwait2", "restart_syscall",
	"munmap", "mremap", "madvise", "brk",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "getpid", "gettid",
	"set_robust_list", "rseq", "exit", "exit_group",
}

// forbidSystemCalls leaves this process those calls, of which none opens a file or a socket,
// starts a program or a process, or makes memory executable. Others fail with EPERM. It
// reports false where the kernel has no filters.
func forbidSystemCalls() (bool, error) {
	if _, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_SECCOMP, 0, 0); errno != 0 {
		return false, nil
	}
	info, err := arch.GetInfo("")
	if err != nil {
		return false, nil // an architecture that is not supported
	}
	known := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := info.SyscallNames[name]; return !ok })
	}
	// Of clone3 the kernel cannot show its arguments to a filter; the C library takes clone
	// where that does not exist.
	missing := seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{
		{Names: known("clone3"), Action: seccomp.ActionErrno&^0xFFFF | seccomp.Action(unix.ENOSYS)},
	}}
	allowed := seccomp.SyscallGroup{Names: append(known(systemCalls...), known("clone3")...), Action: seccomp.ActionAllow}
	for _, name := range known("clone") { // threads, no processes
		allowed.NamesWithCondtions = append(allowed.NamesWithCondtions, on(name, 0, seccomp.BitsSet, unix.CLONE_THREAD))
	}
	allowed.NamesWithCondtions = append(allowed.NamesWithCondtions, on("tgkill", 0, seccomp.Equal, uint64(unix.Getpid())))
	for _, name := range known("mmap", "mmap2", "mprotect") {
		allowed.NamesWithCondtions = append(allowed.NamesWithCondtions, on(name, 2, seccomp.BitsNotSet, unix.PROT_EXEC))
	}
	listed := seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{allowed}}
	for _, policy := range []seccomp.Policy{missing, listed} {
		if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// on is a call whose argument, counted from 0, meets a condition.
func on(name string, argument uint32, operation seccomp.Operation, value uint64) seccomp.NameWithConditions {
	return seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: operation, Value: value}}}
}
