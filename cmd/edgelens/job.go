package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// jobClient calls a server's job API.
type jobClient struct {
	server string
	http   *http.Client
}

// jobView is what the commands show of a job.
type jobView struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	Attempts  int       `json:"attempts"`
	Result    *struct {
		Predictions []jsonPrediction `json:"predictions"`
	} `json:"result"`
	Error *struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"error"`
}

func newJob() *cobra.Command {
	client := &jobClient{http: &http.Client{Timeout: 2 * time.Minute}}
	cmd := &cobra.Command{Use: "job", Short: "Hand images to a server and ask for the answers later"}
	cmd.PersistentFlags().StringVar(&client.server, "server", "http://127.0.0.1:8080", "address of the server")
	cmd.AddCommand(client.newSubmit(), client.newStatus(), client.newWait(), client.newCancel(), client.newList())
	return cmd
}

func (c *jobClient) newSubmit() *cobra.Command {
	var model, queue, key string
	var topK int
	var wait bool
	cmd := &cobra.Command{
		Use:   "submit FILE...",
		Short: "Queue images and print their job ids",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			query := url.Values{"queue": {queue}, "top_k": {strconv.Itoa(topK)}}
			if model != "" {
				query.Set("model", model)
			}
			for _, file := range files {
				id, err := c.submit(cmd.Context(), cmd.InOrStdin(), file, query, key)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				if !wait {
					fmt.Fprintln(cmd.OutOrStdout(), id) // a closed pipe shows at the next write
					continue
				}
				if err := c.waitFor(cmd.Context(), cmd.OutOrStdout(), id); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&model, "model", "", "the model that answers")
	cmd.Flags().StringVar(&queue, "queue", "interactive", "interactive or bulk")
	cmd.Flags().StringVar(&key, "idempotency-key", "", "a name for the job, so that sending it again does not do it again")
	cmd.Flags().IntVar(&topK, "top-k", 3, "how many predictions to return")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for each answer and print it")
	return cmd
}

func (c *jobClient) submit(ctx context.Context, stdin io.Reader, file string, query url.Values, key string) (string, error) {
	image, err := readImage(stdin, file)
	if err != nil {
		return "", err
	}
	var accepted struct {
		TaskID string `json:"task_id"`
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	err = c.call(ctx, http.MethodPost, "/api/recognize_async?"+query.Encode(), header, bytes.NewReader(image), &accepted)
	return accepted.TaskID, err
}

func (c *jobClient) newStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status ID", Short: "Print how far a job is", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			var job jobView
			if err := c.call(cmd.Context(), http.MethodGet, "/api/jobs/"+url.PathEscape(ids[0]), nil, nil, &job); err != nil {
				return err
			}
			return printJobs(cmd.OutOrStdout(), []jobView{job})
		},
	}
}

func (c *jobClient) newWait() *cobra.Command {
	return &cobra.Command{
		Use: "wait ID...", Short: "Wait for jobs and print their answers; exit 0 only if all succeeded", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			var errs []error
			for _, id := range ids {
				errs = append(errs, c.waitFor(cmd.Context(), cmd.OutOrStdout(), id))
			}
			return errors.Join(errs...)
		},
	}
}

func (c *jobClient) waitFor(ctx context.Context, out io.Writer, id string) error {
	for {
		var job jobView
		if err := c.call(ctx, http.MethodGet, "/api/jobs/"+url.PathEscape(id)+"?wait=60s", nil, nil, &job); err != nil {
			return err
		}
		switch job.Status {
		case "queued", "running":
			continue
		}
		if err := printJobs(out, []jobView{job}); err != nil {
			return err
		}
		if job.Status != "succeeded" {
			return fmt.Errorf("job %s has %s", job.ID, job.Status)
		}
		return nil
	}
}

func (c *jobClient) newCancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID", Short: "Cancel a job", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			var job jobView
			if err := c.call(cmd.Context(), http.MethodDelete, "/api/jobs/"+url.PathEscape(ids[0]), nil, nil, &job); err != nil {
				return err
			}
			return printJobs(cmd.OutOrStdout(), []jobView{job})
		},
	}
}

func (c *jobClient) newList() *cobra.Command {
	var status string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List jobs, newest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			if status != "" {
				query.Set("status", status)
			}
			var page struct {
				Jobs []jobView `json:"jobs"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/api/jobs?"+query.Encode(), nil, nil, &page); err != nil {
				return err
			}
			return printJobs(cmd.OutOrStdout(), page.Jobs)
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only jobs in this state")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many to print at most")
	return cmd
}

// call makes a request and decodes the answer, or the problem, into a
// sentence.
func (c *jobClient) call(ctx context.Context, method, target string, header http.Header, body io.Reader, answer any) error {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.server, "/")+target, body)
	if err != nil {
		return fmt.Errorf("the server's address: %w", err)
	}
	if header != nil {
		r.Header = header
	}
	response, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("%w; is the server running? --server says where", err)
	}
	defer response.Body.Close() // read only
	decoder := json.NewDecoder(io.LimitReader(response.Body, 64<<20))
	if response.StatusCode >= http.StatusBadRequest {
		var problem struct {
			Detail string `json:"detail"`
		}
		if decoder.Decode(&problem) != nil || problem.Detail == "" {
			return fmt.Errorf("the server answered %s", response.Status)
		}
		return errors.New(problem.Detail)
	}
	if err := decoder.Decode(answer); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}

func printJobs(w io.Writer, jobs []jobView) error {
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
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", j.ID, j.Status, j.Attempts, j.CreatedAt.Local().Format(time.DateTime), answer) // Flush returns the error
	}
	return t.Flush()
}
