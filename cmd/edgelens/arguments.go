package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edgelens/identity/keys"
)

// keyIDsLast moves the ids of keys that begin with - to the end of the command line, after a "--", so that they are
// arguments: one id in 64 begins so, and would be read as flags. Values of flags stay where they are, and so does all
// that already follows a "--".
func keyIDsLast(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		return args
	}
	var before, ids, after []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			after = args[i+1:]
			break
		}
		if strings.HasPrefix(args[i], "-") && keys.IsID(args[i]) {
			ids = append(ids, args[i])
			continue
		}
		before = append(before, args[i])
		if takesValue(cmd, args[i]) && i+1 < len(args) {
			i++
			before = append(before, args[i])
		}
	}
	if len(ids) == 0 {
		return args
	}
	return append(append(append(before, "--"), ids...), after...)
}

// takesValue reports whether an argument is a flag of the command whose value is the argument after it.
func takesValue(cmd *cobra.Command, arg string) bool {
	var flag *pflag.Flag
	switch name, long := strings.CutPrefix(arg, "--"); {
	case long:
		flag = cmd.Flag(name)
	case len(arg) == 2 && arg[0] == '-':
		flag = cmd.Flags().ShorthandLookup(arg[1:])
	}
	return flag != nil && flag.NoOptDefVal == ""
}
