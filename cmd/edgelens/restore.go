package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/console"
)

func newRestore(environ []string) *cobra.Command {
	var options app.RestoreOptions
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into an empty data folder",
		Long: `Restores a backup of ` + "`edgelens backup`" + ` into a data folder without a ledger, while no service uses it.
Nothing is sent or run again by itself: undelivered events and unfinished jobs wait until
` + "`edgelens outbox retry` and `edgelens job release`" + `, since the service that went on after the backup
may have done them. docs/backup.md describes it.`,
		Example: `  edgelens restore --data-dir /var/lib/edgelens /mnt/usb/edgelens-2026-11-30.tar
  edgelens restore --move-aside /var/lib/edgelens/before edgelens.tar`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			report, err := app.Restore(cmd.Context(), c, files[0], options, console.NewBytes(cmd.ErrOrStderr(), "restore"))
			if err != nil {
				return err
			}
			return asJSON.print(cmd, report, func(out io.Writer) error { return describeRestore(out, report) })
		},
	}
	config.AddFlags(cmd.Flags(), "data_dir", "ledger.max_age")
	cmd.Flags().StringVar(&options.Aside, "move-aside", "", "new folder for the ledger that is in the data folder")
	cmd.Flags().BoolVar(&options.WithoutIdentity, "without-identity", false, "leave out the node's name, if the backup has it: for a second node beside the first")
	asJSON.add(cmd, "")
	return cmd
}

func describeRestore(out io.Writer, r app.RestoreReport) error {
	counts := r.Manifest.Counts
	fmt.Fprintf(out, "The backup of %s is restored to %s: %d jobs, %d results, %d records, %d devices, %d images, %d versions of heads.\n",
		r.Manifest.TakenAt.Local().Format(time.DateTime), r.DataDir, counts.Jobs, counts.Results, counts.Records, counts.Devices, counts.Images, counts.Heads) // a closed pipe shows at the last write
	for _, line := range []struct {
		n    int64
		text string
	}{
		{r.HeldEvents, "undelivered events are set aside: `edgelens outbox retry` sends them, marked as replayed"},
		{r.HeldJobs, "unfinished jobs are held: `edgelens job release` runs them"},
		{r.FailedCommands, "commands to devices were not done, and are not sent again"},
		{r.TooOld, "finished jobs and results are older than ledger.max_age, and are removed soon after the service starts: raise it before, to keep them"},
		{r.DamagedImages, "images are damaged, as they were in the data folder of the backup"},
		{counts.HeadsDamaged, "files of heads are missing, as they were damaged in the data folder of the backup"},
		{counts.ImagesMissing, "images are missing, as they were in the data folder of the backup"},
	} {
		if line.n > 0 {
			fmt.Fprintf(out, "%d %s.\n", line.n, line.text) // as above
		}
	}
	for _, head := range r.UnusableHeads {
		fmt.Fprintf(out, "The head %s does not answer yet: %s. Models are in no backup: fetch it by `edgelens model pull`, or copy its file.\n", head.Name, head.Problem) // as above
	}
	if !r.Manifest.Secrets {
		fmt.Fprintln(out, "The backup has no keys of clients: make them by `edgelens key create`.") // as above
	}
	_, err := fmt.Fprintln(out, "Start the service now.")
	return err
}
