package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/api"
	"edgelens/internal/client"
	"edgelens/internal/config"
	"edgelens/internal/imagefile"
)

func newJob(environ []string) *cobra.Command {
	var c client.Client
	cmd := &cobra.Command{Use: "job", Short: "Submit images as jobs and get the results later"}
	addServerFlags(cmd, &c, environ)
	cmd.AddCommand(newJobSubmit(&c), newJobStatus(&c), newJobWait(&c), newJobCancel(&c), newJobList(&c), newJobRelease(&c))
	return cmd
}

// addServerFlags adds the address of the server and the key for it.
func addServerFlags(cmd *cobra.Command, c *client.Client, environ []string) {
	var key keyFlag
	cmd.PersistentFlags().StringVar(&c.Server, "server", serverOf(environ), "address of the server (default: the environment variable "+config.EnvServer+", else this machine)")
	key.add(cmd.PersistentFlags())
	cmd.PersistentPreRunE = func(*cobra.Command, []string) (err error) {
		c.Key, err = key.read(environ)
		return err
	}
}

// serverOf returns the address of the server by default.
func serverOf(environ []string) string {
	for _, pair := range environ {
		if address, ok := strings.CutPrefix(pair, config.EnvServer+"="); ok && address != "" {
			return address
		}
	}
	return "http://127.0.0.1:8080"
}

func newJobSubmit(c *client.Client) *cobra.Command {
	var options client.JobOptions
	var wait bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "submit FILE|FOLDER...",
		Short: "Queue images and print their job ids",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, given []string) error {
			files, err := imagefile.ListAll(given)
			if err != nil {
				return err
			}
			for _, file := range files {
				image, err := imagefile.Read(cmd.InOrStdin(), file)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				id, err := c.SubmitJob(cmd.Context(), image, options)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				if wait {
					err = awaitJob(cmd, c, asJSON, id)
				} else {
					err = asJSON.print(cmd, jsonSubmitted{file, id}, func(out io.Writer) error {
						_, err := fmt.Fprintln(out, id)
						return err
					})
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&options.Model, "model", "", "name of the model")
	cmd.Flags().StringVar(&options.Task, "task", "", "classification or embedding (default: that of the model)")
	cmd.Flags().StringVar(&options.Queue, "queue", "interactive", "interactive or bulk")
	cmd.Flags().StringVar(&options.IdempotencyKey, "idempotency-key", "", "key of the job, so that submitting it twice runs it once")
	cmd.Flags().IntVar(&options.TopK, "top-k", 3, "maximum number of predictions")
	addViewFlags(cmd.Flags(), &options.View)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for each result and print it")
	asJSON.add(cmd, ", one object a line")
	return cmd
}

// jsonSubmitted is the JSON of a job that was submitted; that of others is the API's. Names are added and never changed:
// scripts read them.
type jsonSubmitted struct {
	File string `json:"file"`
	ID   string `json:"id"`
}

func newJobRelease(c *client.Client) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "release", Short: "Run the jobs that are held since a backup was restored", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			released, err := c.ReleaseJobs(cmd.Context())
			if err != nil {
				return err
			}
			return asJSON.print(cmd, api.ReleasedJobs{Released: released}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%d released\n", released)
				return err
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newJobStatus(c *client.Client) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "status ID", Short: "Print the status of a job", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			job, err := c.Job(cmd.Context(), ids[0])
			if err != nil {
				return err
			}
			return printJob(cmd, asJSON, job)
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newJobWait(c *client.Client) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "wait ID...", Short: "Wait for jobs and print their results; exit with status 0 only if all succeeded", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			var errs []error
			for _, id := range ids {
				errs = append(errs, awaitJob(cmd, c, asJSON, id))
			}
			return errors.Join(errs...)
		},
	}
	asJSON.add(cmd, ", one object a line")
	return cmd
}

// awaitJob prints a job once it has ended, and returns an error unless it succeeded.
func awaitJob(cmd *cobra.Command, c *client.Client, asJSON jsonFlag, id string) error {
	job, err := c.AwaitJob(cmd.Context(), id)
	if err != nil {
		return err
	}
	if err := printJob(cmd, asJSON, job); err != nil {
		return err
	}
	if job.Status != api.JobStatusSucceeded {
		return fmt.Errorf("job %s has %s", job.Id, job.Status)
	}
	return nil
}

func newJobCancel(c *client.Client) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "cancel ID", Short: "Cancel a job", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			job, err := c.CancelJob(cmd.Context(), ids[0])
			if err != nil {
				return err
			}
			return printJob(cmd, asJSON, job)
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newJobList(c *client.Client) *cobra.Command {
	var status string
	var limit int
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List jobs, newest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			jobs, err := c.Jobs(cmd.Context(), status, limit)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, jobs, func(out io.Writer) error { return printJobs(out, jobs...) })
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only jobs in this state")
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number of jobs")
	asJSON.add(cmd, "")
	return cmd
}

func printJob(cmd *cobra.Command, asJSON jsonFlag, job api.Job) error {
	return asJSON.print(cmd, job, func(out io.Writer) error { return printJobs(out, job) })
}

func printJobs(w io.Writer, jobs ...api.Job) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATUS\tATTEMPTS\tCREATED\tANSWER") // Flush returns the error
	for _, j := range jobs {
		answer := ""
		switch {
		case j.Error != nil:
			answer = j.Error.Detail
		case j.Result != nil && len(j.Result.Predictions) > 0:
			best := j.Result.Predictions[0]
			answer = fmt.Sprintf("%s %.3f", best.Label, best.Probability)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", j.Id, j.Status, j.Attempts, j.CreatedAt.Local().Format(time.DateTime), answer) // Flush returns the error
	}
	return t.Flush()
}
