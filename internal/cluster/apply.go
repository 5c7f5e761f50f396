package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"edgelens"
)

// manager is the owner of the fields that Apply writes (server-side apply).
const manager = "edgelens"

// Applied is an object that Apply wrote.
type Applied struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Change is created, updated or unchanged.
	Change string `json:"change"`
}

// Apply deploys or updates a service by server-side apply, and returns what it wrote; Wait waits for its pods. Fields that
// others have changed are set again. A namespace that there is not is an error.
func (c *Cluster) Apply(ctx context.Context, s Service) ([]Applied, error) {
	s.Namespace = c.in(s)
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	if err := c.checkWorkload(ctx, s); err != nil {
		return nil, err
	}
	var all []Applied
	for _, t := range s.objects() {
		applied, err := c.apply(ctx, t)
		if err != nil {
			return all, err
		}
		all = append(all, applied)
	}
	return all, nil
}

// in returns the namespace of a service.
func (c *Cluster) in(s Service) string {
	if s.Namespace != "" {
		return s.Namespace
	}
	return c.namespace
}

// checkWorkload refuses a service whose pods belong to an object of the other kind: both would run.
func (c *Cluster) checkWorkload(ctx context.Context, s Service) error {
	other, is, advice := statefulSets, "StatefulSet, with storage", "without"
	if s.Storage != "" {
		other, is, advice = deployments, "Deployment, without storage", "with"
	}
	_, err := c.objects.Resource(other).Namespace(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return explain("read the service "+s.Name, err)
	}
	return fmt.Errorf("%w: %s is a %s; to deploy it %s storage, remove it first: kubectl -n %s delete %s %s",
		edgelens.ErrInvalid, s.Name, is, advice, s.Namespace, other.Resource, s.Name)
}

func (c *Cluster) apply(ctx context.Context, t target) (Applied, error) {
	applied := Applied{Kind: t.object.GetKind(), Name: t.object.GetName(), Change: "created"}
	doing := fmt.Sprintf("write the %s %s", applied.Kind, applied.Name)
	in := c.objects.Resource(t.resource).Namespace(t.object.GetNamespace())
	before, err := in.Get(ctx, applied.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return applied, explain(doing, err)
	}
	data, err := t.object.MarshalJSON()
	if err != nil {
		return applied, fmt.Errorf("%s: %w", doing, err)
	}
	force := true
	after, err := in.Patch(ctx, applied.Name, types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: manager, Force: &force, FieldValidation: metav1.FieldValidationStrict})
	switch {
	case apierrors.IsNotFound(err):
		return applied, fmt.Errorf("%s: %w; there may be no namespace %s: kubectl create namespace %s makes it", doing, err, t.object.GetNamespace(), t.object.GetNamespace())
	case apierrors.IsInvalid(err) && before != nil && t.resource == statefulSets:
		return applied, fmt.Errorf("%s: %w; what a StatefulSet has of storage cannot change: remove it first, its volumes stay: kubectl -n %s delete statefulset %s", doing, err, t.object.GetNamespace(), applied.Name)
	case err != nil:
		return applied, explain(doing, err)
	case before != nil && before.GetResourceVersion() == after.GetResourceVersion():
		applied.Change = "unchanged"
	case before != nil && before.GetUID() == after.GetUID():
		applied.Change = "updated"
	}
	return applied, nil
}
