// Command runtimedefault runs a command as a container runtime would with the seccomp profile RuntimeDefault: that of containerd,
// without capabilities. It is a module of its own, since nothing else needs containerd; make k8s-check builds it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	profile "github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "runtimedefault:", err) // there is no other output
		os.Exit(1)
	}
}

func run(command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("usage: runtimedefault COMMAND [ARGUMENT...]")
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	policy, err := policyOf(profile.DefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}}))
	if err != nil {
		return err
	}
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy}); err != nil {
		return err
	}
	return syscall.Exec(path, command, os.Environ())
}

// policyOf is a profile in the form of the library that loads it. What that cannot express is an error, so that it never permits
// more.
func policyOf(p *specs.LinuxSeccomp) (seccomp.Policy, error) {
	policy := seccomp.Policy{DefaultAction: seccomp.ActionErrno}
	info, err := arch.GetInfo("")
	if err != nil || p.DefaultAction != specs.ActErrno {
		return policy, fmt.Errorf("default action %s: %v", p.DefaultAction, err)
	}
	for _, call := range p.Syscalls {
		var group seccomp.SyscallGroup
		switch {
		case call.Action == specs.ActAllow:
			group.Action = seccomp.ActionAllow
		case call.Action == specs.ActErrno && call.ErrnoRet != nil:
			group.Action = seccomp.ActionErrno&^0xFFFF | seccomp.Action(*call.ErrnoRet)
		default:
			return policy, fmt.Errorf("%v has the action %s", call.Names, call.Action)
		}
		for _, name := range call.Names {
			if _, known := info.SyscallNames[name]; !known {
				continue // of another architecture
			}
			if len(call.Args) == 0 {
				group.Names = append(group.Names, name)
				continue
			}
			conditions, err := conditionsOf(call.Args)
			if err != nil {
				return policy, fmt.Errorf("%s: %w", name, err)
			}
			group.NamesWithCondtions = append(group.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: conditions})
		}
		if len(group.Names)+len(group.NamesWithCondtions) > 0 {
			policy.Syscalls = append(policy.Syscalls, group)
		}
	}
	return policy, nil
}

// operations are the comparisons that both have. Of SCMP_CMP_MASKED_EQ only "no bit is set" is one of them.
var operations = map[specs.LinuxSeccompOperator]seccomp.Operation{
	specs.OpEqualTo: seccomp.Equal, specs.OpNotEqual: seccomp.NotEqual, specs.OpLessThan: seccomp.LessThan, specs.OpLessEqual: seccomp.LessOrEqual,
	specs.OpGreaterThan: seccomp.GreaterThan, specs.OpGreaterEqual: seccomp.GreaterOrEqual, specs.OpMaskedEqual: seccomp.BitsNotSet,
}

func conditionsOf(args []specs.LinuxSeccompArg) (all seccomp.ArgumentConditions, err error) {
	for _, arg := range args {
		operation, known := operations[arg.Op]
		if !known || arg.Op == specs.OpMaskedEqual && arg.ValueTwo != 0 {
			return nil, fmt.Errorf("the comparison %s with %d is not known here", arg.Op, arg.ValueTwo)
		}
		all = append(all, seccomp.Condition{Argument: uint32(arg.Index), Operation: operation, Value: arg.Value})
	}
	return all, nil
}
