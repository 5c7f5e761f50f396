package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"edgelens"
)

// Jobs has the jobs: it accepts them, leases them to workers, ends them once, and lists them. It is safe for use by many
// goroutines.
type Jobs struct {
	db        *database
	admission *admission
	events    *Events
	results   *Results
	outbox    *Outbox
	images    *Images
	chains    *Chains
	watchers  *jobWatchers
	due       *dueScan
	// poisonCandidate is used by the writer's goroutine alone.
	poisonCandidate poisonCandidate
}

// Accept makes a job of spec and its encoded image durable and returns it, queued. spec.SHA256 must be the image's
// digest; image is only read.
//
// A spec with the IdempotencyKey of an earlier job that is equal in all but the deadline returns that job, in whatever
// state it is, with existing true, and writes nothing. A key is stored as long as its job.
//
// Errors: edgelens.ErrInvalid or ErrNoImage for a bad spec, ErrTooLarge for an image over the limit, ErrConflict for a
// key that was used for something else, *edgelens.Busy for a full queue, ErrDiskFull for a full disk. Nothing is stored
// then.
func (s *Jobs) Accept(ctx context.Context, spec edgelens.JobSpec, image []byte) (job edgelens.Job, existing bool, err error) {
	job, existing, err = s.accept(ctx, spec, image)
	return job, existing, s.db.explain("accept a job", err)
}

func (s *Jobs) accept(ctx context.Context, spec edgelens.JobSpec, image []byte) (edgelens.Job, bool, error) {
	if err := s.admission.checkSpec(spec, image); err != nil {
		return edgelens.Job{}, false, err
	}
	// Checked here too, so that a refusal costs no write.
	earlier, err := s.admission.admit(ctx, s.db.readers, spec)
	if err != nil || earlier != nil {
		return valueOf(earlier), earlier != nil, err
	}
	if err := s.admission.checkFiles(spec.Bytes); err != nil {
		return edgelens.Job{}, false, err
	}
	arrived := s.db.clock()
	now := micros(arrived.Wall)
	spec.Deadline = micros(spec.Deadline)
	job := edgelens.Job{ID: s.db.newJobID(now), JobSpec: spec, Status: edgelens.JobQueued, CreatedAt: now}
	defer s.images.begin(job.ID)()
	if err := s.images.write(job.ID, image); err != nil {
		return edgelens.Job{}, false, err
	}
	err = s.db.write(ctx, func(c *change) error {
		earlier, err = s.admission.admit(ctx, c, spec)
		if err != nil || earlier != nil {
			return err
		}
		if !job.Deadline.IsZero() {
			job.Deadline = job.Deadline.Add(arrived.JumpTo(c.begun, jumpAfter))
		}
		return s.insert(c, &job)
	})
	if err != nil || earlier != nil {
		s.images.discard(job.ID)
		return valueOf(earlier), earlier != nil, err
	}
	return job, false, nil
}

// Queued returns how many jobs are queued. It counts no rows and is cheap.
func (s *Jobs) Queued(ctx context.Context) (int64, error) {
	queued, _, err := unfinishedJobs(ctx, s.db.readers)
	return queued, s.db.explain("count the queued jobs", err)
}

func valueOf(job *edgelens.Job) edgelens.Job {
	if job == nil {
		return edgelens.Job{}
	}
	return *job
}

// Job returns a job, with its result or error if it is done. Its error is an edgelens.ErrNotFound where there is none,
// or where it was removed for its age.
func (s *Jobs) Job(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := jobByID(ctx, s.db.readers, id)
	return job.Job, s.db.explain("look up job "+id, err)
}

// Wait returns the job as soon as it is terminal, or as it is when ctx ends. Thousands of callers may wait. Errors:
// edgelens.ErrNotFound, and ErrStopping where the ledger is closed first.
func (s *Jobs) Wait(ctx context.Context, id string) (edgelens.Job, error) {
	done, leave := s.watchers.watch(id)
	defer leave()
	lookUp := context.WithoutCancel(ctx)
	job, err := s.Job(lookUp, id)
	if err != nil || job.Status.Terminal() {
		return job, err
	}
	select {
	case <-done:
	case <-ctx.Done():
	case <-s.db.closing:
		return edgelens.Job{}, s.db.explain("wait for job "+id, edgelens.ErrStopping)
	}
	return s.Job(lookUp, id)
}

// jobList is the name of the list of jobs, in its cursors.
const jobList = "jobs"

// Jobs lists jobs, the newest first, and returns the cursor of the next page; empty where there is none. A page may have less
// than the limit, even nothing, and still a next one: each looks at a bounded number of jobs. Jobs accepted meanwhile do not
// move the pages. Its error is an edgelens.ErrInvalid for a bad filter.
func (s *Jobs) Jobs(ctx context.Context, filter edgelens.JobFilter) (page []edgelens.Job, next string, err error) {
	page, next, err = s.list(ctx, filter)
	return page, next, s.db.explain("list jobs", err)
}

func (s *Jobs) list(ctx context.Context, filter edgelens.JobFilter) (page []edgelens.Job, next string, err error) {
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	if filter.Status != "" && !slices.Contains(statuses, filter.Status) {
		return nil, "", fmt.Errorf("%w: there is no job status %q", edgelens.ErrInvalid, filter.Status)
	}
	l, err := s.listing(filter)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	places, end, more, err := l.some(ctx, limit)
	if err != nil {
		return nil, "", err
	}
	for _, p := range places {
		rows, err := jobRows(ctx, s.db.lists, selectJob+` WHERE j.seq = ?`, p.seq)
		if err != nil {
			return nil, "", err
		}
		for _, row := range rows { // none where it was removed meanwhile
			page = append(page, row.Job)
		}
	}
	if more {
		next = newCursor(jobList, end.seq)
	}
	return page, next, nil
}

// listing returns the list of the jobs that the filter selects, in the order in which they came.
func (s *Jobs) listing(f edgelens.JobFilter) (*listing, error) {
	l := &listing{db: s.db.lists, table: "jobs", columns: "seq, device, owner, status"}
	var err error
	if l.after, err = parsePlace(jobList, f.Cursor); err != nil {
		return nil, err
	}
	equal := map[string]string{}
	if f.Status != "" {
		equal["status"] = string(f.Status)
	}
	for _, of := range branchesOf(f.Visible) {
		l.branches = append(l.branches, newBranch(equal, of, jobIndexes))
	}
	return l, nil
}

// jobIndexes are the indexes that have the jobs with some equal columns in order, the most selective first.
var jobIndexes = []listIndex{
	{"jobs_by_owner", []string{"owner"}},
	{"jobs_by_status", []string{"status"}},
}

// statuses are the states that a job can be in.
var statuses = []edgelens.JobStatus{
	edgelens.JobQueued, edgelens.JobRunning, edgelens.JobSucceeded, edgelens.JobFailed, edgelens.JobCanceled, edgelens.JobExpired,
}

// unfinishedPage is how many jobs Unfinished holds at a time.
const unfinishedPage = 500

// Unfinished yields every job that is neither terminal nor held, the oldest first: those to be queued again after a restart. It
// reads some at a time and holds no lock between them, so the caller may be slow and may change the jobs; jobs accepted
// meanwhile are yielded too. An error ends it.
func (s *Jobs) Unfinished(ctx context.Context) iter.Seq2[edgelens.Job, error] {
	return func(yield func(edgelens.Job, error) bool) {
		for after := int64(0); ; {
			page, err := jobRows(ctx, s.db.readers, selectJob+` WHERE j.finished_at IS NULL AND j.held = 0 AND j.seq > ? ORDER BY j.seq LIMIT ?`, after, unfinishedPage)
			if err != nil {
				yield(edgelens.Job{}, s.db.explain("list the unfinished jobs", err))
				return
			}
			for _, job := range page {
				if !yield(job.Job, nil) {
					return
				}
				after = job.seq
			}
			if len(page) < unfinishedPage {
				return
			}
		}
	}
}

// moveJobDeadlines moves the deadlines of unfinished jobs with the wall clock, so that they keep the time that they were given.
func moveJobDeadlines(c *change, jump time.Duration) error {
	_, err := c.exec(`UPDATE jobs SET deadline = deadline + ? WHERE finished_at IS NULL AND deadline IS NOT NULL`, jump.Microseconds())
	return err
}
