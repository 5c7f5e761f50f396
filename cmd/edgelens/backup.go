package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/console"
	"edgelens/internal/control"
)

func newBackup(environ []string) *cobra.Command {
	var options control.BackupOptions
	var replace, verify bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write jobs, results, records, devices, images and heads to a file, while the service runs",
		Long: `Writes a backup of the data folder to a tar file, and checks it. A running service is reached by its socket
in the data folder and goes on meanwhile: what it has accepted before is in the backup. docs/backup.md
describes what else to keep, and how to restore, move and upgrade.`,
		Example: `  edgelens backup --data-dir /var/lib/edgelens /mnt/usb/edgelens-$(date +%F).tar
  edgelens backup --with-identity --with-secrets move.tar   # to move the node to another card or machine
  edgelens backup --verify /mnt/usb/edgelens-2026-11-30.tar`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			var report app.BackupReport
			if verify {
				report, err = app.VerifyBackup(cmd.Context(), files[0])
			} else {
				report, err = app.WriteBackup(cmd.Context(), c, version, options, files[0], replace, console.NewBytes(cmd.ErrOrStderr(), "backup"), cmd.ErrOrStderr())
			}
			if err != nil {
				return err
			}
			return printBackup(cmd, report, verify, asJSON)
		},
	}
	config.AddFlags(cmd.Flags(), "data_dir")
	cmd.Flags().BoolVar(&options.Identity, "with-identity", false, "add the node's name, for moving the node: two nodes with one name disturb each other")
	cmd.Flags().BoolVar(&options.Secrets, "with-secrets", false, "add the keys of clients, the secret of sessions, and the keys of TLS in the data folder")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the file if it is there")
	cmd.Flags().BoolVar(&verify, "verify", false, "only read a backup, compare everything with its sums, and open its database")
	asJSON.add(cmd, "")
	return cmd
}

func printBackup(cmd *cobra.Command, report app.BackupReport, verified bool, asJSON jsonFlag) error {
	if err := asJSON.print(cmd, report, func(out io.Writer) error { return describeBackup(out, report, verified) }); err != nil {
		return err
	}
	if problem := report.Problem(); problem != "" {
		return fmt.Errorf("the backup is usable, but %s", problem)
	}
	return nil
}

func describeBackup(out io.Writer, report app.BackupReport, verified bool) error {
	state, c := "written and checked", report.Manifest.Counts
	if verified {
		state = "complete, and its database is sound"
	}
	_, err := fmt.Fprintf(out, "%s is %s: %.1f MB, taken at %s by edgelens %s\n%d jobs (%d unfinished), %d results, %d records, %d devices, %d images, %d undelivered events, %d versions of heads\n",
		report.File, state, float64(report.Bytes)/1e6, report.Manifest.TakenAt.Local().Format(time.DateTime), report.Manifest.Version,
		c.Jobs, c.UnfinishedJobs, c.Results, c.Records, c.Devices, c.Images, c.Undelivered, c.Heads)
	return err
}
