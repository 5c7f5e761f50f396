package api

import (
	"context"

	"edgelens"
)

// Federation is the part of this node in a federation.
type Federation interface {
	Part() edgelens.FederationPart
}

// noFederation is that of a server that learns alone.
type noFederation struct{}

func (noFederation) Part() edgelens.FederationPart { return edgelens.FederationPart{} }

// GetFederation implements StrictServerInterface.
func (s *Server) GetFederation(context.Context, GetFederationRequestObject) (GetFederationResponseObject, error) {
	p := s.federation.Part()
	out := GetFederation200JSONResponse{Joined: p.Joined, Updates: p.Updates, Epsilon: p.Epsilon, Examples: []HeadLabel{}}
	for _, e := range p.Examples {
		out.Examples = append(out.Examples, HeadLabel{Label: e.Label, Examples: e.Count})
	}
	if !p.Joined {
		return out, nil
	}
	out.Coordinator, out.Node, out.Dataset, out.Head = &p.Coordinator, &p.Node, &p.Dataset, &p.Head
	out.HeldOut, out.Contact, out.Delta, out.RolledBack = &p.HeldOut, &p.Contact, &p.Delta, &p.RolledBack
	out.Problem, out.Unready, out.Doing = optional(p.Problem), optional(p.Unready), optional(p.Doing)
	if p.Round > 0 {
		out.Round, out.Version = &p.Round, &p.Version
	}
	return out, nil
}
