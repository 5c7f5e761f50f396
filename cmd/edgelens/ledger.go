package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/control"
)

func newLedger(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ledger", Short: "Show what the data folder keeps of each kind, and since when",
		Long: `What the ledger keeps is bounded by the settings of ledger: docs/operations.md. A running service of the
data folder is reached by its socket there. For the service of a package, run it with sudo.`,
	}
	config.AddFlags(cmd.PersistentFlags(), "data_dir")
	cmd.AddCommand(newLedgerStatus(environ))
	return cmd
}

func newLedgerStatus(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "status", Short: "List the kinds with their size, their oldest one and their bounds", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
			if err != nil {
				return err
			}
			return app.UseKept(cmd.Context(), c, cmd.ErrOrStderr(), func(meter control.KeptMeter) error {
				kept, err := meter.Kept(cmd.Context())
				if err != nil {
					return err
				}
				return asJSON.print(cmd, control.NewKept(kept), func(out io.Writer) error { return printKept(out, kept) })
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func printKept(out io.Writer, kept edgelens.Kept) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tROWS\tBYTES\tSINCE\tBOUNDS\tSHARE\tREMOVED NOW BY") // Flush returns the error
	for _, k := range kept.Kinds {
		rows := strconv.FormatInt(k.Rows, 10)
		if k.Estimated && k.Rows > 0 {
			rows = "about " + rows
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Kind, rows, mebibytes(k.Bytes), day(k.Oldest), keptBounds(k), shareText(k.Share), orDash(string(k.Bound)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nThe kinds with a share, and all without a bound, take about %s of %s (ledger.max_bytes).\n", mebibytes(kept.Bytes), mebibytes(kept.MaxBytes))
	return err
}

// keptBounds lists the bounds of a kind.
func keptBounds(k edgelens.KeptKind) string {
	var bounds []string
	if k.MaxAge > 0 {
		bounds = append(bounds, ageText(k.MaxAge))
	}
	if k.MaxRows > 0 {
		bounds = append(bounds, strconv.FormatInt(k.MaxRows, 10)+" rows")
	}
	if k.MaxBytes > 0 {
		bounds = append(bounds, mebibytes(k.MaxBytes))
	}
	return orDash(strings.Join(bounds, ", "))
}

// ageText returns a duration in days, where it is some.
func ageText(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + " days"
	}
	return d.String()
}

func shareText(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return mebibytes(bytes)
}

func mebibytes(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
