package api

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"edgelens"
)

// Heads trains heads and keeps their versions.
type Heads interface {
	// Heads returns the live version of each head, or the newest one where none is live, by name.
	Heads() ([]edgelens.HeadVersion, error)
	// Versions returns the versions of a head, newest first. The error wraps edgelens.ErrNotFound.
	Versions(name string) ([]edgelens.HeadVersion, error)
	// Train trains and stores the next version of a head. Errors: an *edgelens.Busy while another one is trained, ErrConflict
	// while this one is, and for the name of a model file, ErrNotFound for an unknown dataset, ErrInvalid for one that cannot be
	// trained on, ErrDeadline, ErrCanceled, ErrDiskFull, ErrStorage.
	Train(ctx context.Context, name string, t edgelens.Training) (edgelens.HeadVersion, error)
	// Progress returns how far the training in progress is; nil for none.
	Progress() *edgelens.TrainingProgress
	// Rollback makes a version live, by 0 the newest that is older than the live one, and returns it. Errors: ErrNotFound,
	// ErrConflict where none is older, ErrModel for a damaged one.
	Rollback(name string, version int) (edgelens.HeadVersion, error)
	// Remove removes a head. Errors: ErrNotFound, ErrConflict for the default model.
	Remove(name string) error
}

// noHeads are the Heads of a server without datasets.
type noHeads struct{}

func (noHeads) Heads() ([]edgelens.HeadVersion, error)               { return nil, nil }
func (noHeads) Versions(name string) ([]edgelens.HeadVersion, error) { return nil, noHead(name) }
func (noHeads) Progress() *edgelens.TrainingProgress                 { return nil }
func (noHeads) Remove(name string) error                             { return noHead(name) }

func (noHeads) Train(_ context.Context, _ string, t edgelens.Training) (edgelens.HeadVersion, error) {
	return edgelens.HeadVersion{}, fmt.Errorf("%w: there is no dataset %q", edgelens.ErrNotFound, short(t.Dataset))
}

func (noHeads) Rollback(name string, _ int) (edgelens.HeadVersion, error) {
	return edgelens.HeadVersion{}, noHead(name)
}

func noHead(name string) error {
	return fmt.Errorf("%w: there is no head %q; /api/heads lists them", edgelens.ErrNotFound, short(name))
}

// mayUseHead rejects a head whose model the client's key is not bounded to.
func mayUseHead(ctx context.Context, name string) error {
	if key := keyFrom(ctx); !key.MayUseModel(name) {
		return fmt.Errorf("%w: the key %q is for the models %s", edgelens.ErrForbidden, key.Name, strings.Join(key.Models, ", "))
	}
	return nil
}

// ListHeads implements StrictServerInterface.
func (s *Server) ListHeads(ctx context.Context, _ ListHeadsRequestObject) (ListHeadsResponseObject, error) {
	all, err := s.heads.Heads()
	if err != nil {
		return nil, err
	}
	key, list := keyFrom(ctx), ListHeads200JSONResponse{Heads: []HeadVersion{}}
	for _, v := range all {
		if key.MayUseModel(v.Name) {
			list.Heads = append(list.Heads, newHeadVersion(v))
		}
	}
	if p := s.heads.Progress(); p != nil && key.MayUseModel(p.Name) {
		list.Training = &HeadTraining{Name: p.Name, Done: p.Done, Total: p.Total}
	}
	return list, nil
}

// GetHead implements StrictServerInterface.
func (s *Server) GetHead(ctx context.Context, r GetHeadRequestObject) (GetHeadResponseObject, error) {
	if err := mayUseHead(ctx, r.Name); err != nil {
		return nil, err
	}
	versions, err := s.heads.Versions(r.Name)
	if err != nil {
		return nil, err
	}
	h := GetHead200JSONResponse{Name: r.Name, Versions: []HeadVersion{}}
	for _, v := range versions {
		h.Versions = append(h.Versions, newHeadVersion(v))
	}
	return h, nil
}

// TrainHead implements StrictServerInterface.
func (s *Server) TrainHead(ctx context.Context, r TrainHeadRequestObject) (TrainHeadResponseObject, error) {
	if err := mayUseHead(ctx, r.Name); err != nil {
		return nil, err
	}
	t := edgelens.Training{Dataset: r.Params.Dataset, Method: text(r.Params.Method), Threshold: r.Params.Threshold, Candidate: r.Params.Candidate != nil && *r.Params.Candidate}
	if seed := r.Params.Seed; seed != nil {
		if *seed < 0 {
			return nil, fmt.Errorf("%w: seed must not be negative", edgelens.ErrInvalid)
		}
		t.Seed = uint64(*seed)
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	trained, err := s.heads.Train(limited, r.Name, t)
	if err != nil {
		return nil, err
	}
	auditHead(ctx, "train_head", trained)
	return TrainHead200JSONResponse(newHeadVersion(trained)), nil
}

// RollbackHead implements StrictServerInterface.
func (s *Server) RollbackHead(ctx context.Context, r RollbackHeadRequestObject) (RollbackHeadResponseObject, error) {
	if err := mayUseHead(ctx, r.Name); err != nil {
		return nil, err
	}
	version := 0
	if v := r.Params.Version; v != nil {
		if version = *v; version < 1 {
			return nil, fmt.Errorf("%w: version must be at least 1", edgelens.ErrInvalid)
		}
	}
	live, err := s.heads.Rollback(r.Name, version)
	if err != nil {
		return nil, err
	}
	auditHead(ctx, "rollback_head", live)
	return RollbackHead200JSONResponse(newHeadVersion(live)), nil
}

// RemoveHead implements StrictServerInterface.
func (s *Server) RemoveHead(ctx context.Context, r RemoveHeadRequestObject) (RemoveHeadResponseObject, error) {
	if err := mayUseHead(ctx, r.Name); err != nil {
		return nil, err
	}
	if err := s.heads.Remove(r.Name); err != nil {
		return nil, err
	}
	auditHead(ctx, "remove_head", edgelens.HeadVersion{Name: r.Name})
	return RemoveHead204Response{}, nil
}

// auditHead adds to the audit log what was done with a head.
func auditHead(ctx context.Context, action string, v edgelens.HeadVersion) {
	x := exchangeFrom(ctx)
	x.action = action
	x.audited = []slog.Attr{slog.String("head", v.Name), slog.Int("version", v.Version)}
}

func newHeadVersion(v edgelens.HeadVersion) HeadVersion {
	out := HeadVersion{Name: v.Name, Version: v.Version, Live: v.Live, Labels: v.Labels, Problem: optional(v.Problem)}
	if v.Problem != "" {
		out.Labels = []string{}
		return out
	}
	out.Digest, out.Extractor, out.ExtractorDigest = &v.Digest, &v.Extractor.Name, &v.Extractor.Digest
	out.View = &HeadView{Fit: optional(HeadViewFit(v.View.Fit)), Region: optional(v.View.Region.String())}
	out.Method, out.Examples, out.Threshold, out.CreatedAt = &v.Method, &v.Examples, &v.Threshold, &v.CreatedAt
	if v.Report != nil {
		report := newTrainingReport(*v.Report)
		out.Report = &report
	}
	return out
}

func newTrainingReport(r edgelens.TrainingReport) TrainingReport {
	out := TrainingReport{
		Method: r.Method, Folds: r.Folds, Labels: []HeadLabel{}, HeldOut: r.HeldOut, Right: r.Right, Accuracy: r.Accuracy, Low: r.Low, High: r.High,
		Confusion: r.Confusion, CalibrationErrorBefore: r.ErrorBefore, CalibrationErrorAfter: r.ErrorAfter, Threshold: r.Threshold, ThresholdGiven: r.ThresholdGiven,
		RightBelow: r.RightBelow, WrongBelow: r.WrongBelow, Ms: milliseconds(r.Took),
	}
	if r.L2 != 0 {
		out.L2 = &r.L2
	}
	for _, l := range r.Labels {
		out.Labels = append(out.Labels, HeadLabel{Label: l.Label, Examples: l.Count})
	}
	return out
}
