package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/control"
)

func newKeyList(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the keys, without their tokens", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return useKeys(cmd, environ, func(keys control.KeyStore) error {
				list, err := keys.Keys(cmd.Context())
				if err != nil {
					return err
				}
				forms := make([]control.Key, 0, len(list))
				for _, key := range list {
					forms = append(forms, control.NewKey(key))
				}
				return asJSON.print(cmd, forms, func(out io.Writer) error { return printKeys(out, list) })
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func printKeys(out io.Writer, keys []edgelens.Key) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tNAME\tSCOPES\tBOUNDS\tCREATED\tEXPIRES\tLAST USED\tREVOKED") // Flush returns the error
	for _, k := range keys {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, strings.Join(texts(k.Scopes), ","), bounds(k),
			day(k.Created), day(k.Expires), day(k.LastUsed), day(k.Revoked))
	}
	return t.Flush()
}

func texts(scopes []edgelens.Scope) (list []string) {
	for _, scope := range scopes {
		list = append(list, string(scope))
	}
	return list
}

// bounds describes what a key is bounded to, and whether it sees all.
func bounds(k edgelens.Key) string {
	var parts []string
	if len(k.Devices) > 0 {
		parts = append(parts, "devices "+strings.Join(k.Devices, ","))
	}
	if len(k.Models) > 0 {
		parts = append(parts, "models "+strings.Join(k.Models, ","))
	}
	if k.SeeAll {
		parts = append(parts, "sees all")
	}
	return orDash(strings.Join(parts, "; "))
}

func day(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
