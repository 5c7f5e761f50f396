package ledger

import (
	"strings"

	"edgelens"
)

// visible returns the condition on the columns owner and device, of the table with that prefix ("j."), and its
// arguments; "" for no condition.
func visible(table string, v *edgelens.Visibility) (condition string, args []any) {
	if v == nil {
		return "", nil
	}
	var tests []string
	if v.Owner != "" {
		// The second part is that of the index.
		tests, args = append(tests, table+"owner = ? AND "+table+"owner <> ''"), append(args, v.Owner)
	}
	for _, device := range v.Devices {
		if device != "" {
			tests, args = append(tests, table+"device = ?"), append(args, device)
		}
	}
	if len(tests) == 0 {
		return "0", nil
	}
	return "(" + strings.Join(tests, " OR ") + ")", args
}
