package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"edgelens"
)

// examplesRoute is that of the examples of a dataset.
const examplesRoute = "/api/datasets/:name/examples"

// exampleOptions are those of an example that is to be added.
var exampleOptions = []option{
	{"label", []string{"class", "class_name", "tag"}, "a text", `"open"`, readText, isJSONString},
	{"result_id", []string{"result"}, "the id of a result", `"0197a000-0000-7000-8000-00000000000b"`, readUUID, isJSONString},
	{"extractor", []string{"model", "model_name"}, "a name from /api/models", `"mobilenet_v1_embedding"`, readText, isJSONString},
	*findOption("fit"), *findOption("region"),
}

func readUUID(text string) (any, bool) {
	id, err := uuid.Parse(text)
	return id.String(), err == nil
}

// mayLackImage reports whether the options name a result, whose image is taken where none is sent.
func (o *options) mayLackImage() bool {
	_, given := o.given["result_id"]
	return given
}

// serveAddExample answers POST /api/datasets/{name}/examples.
func (s *Server) serveAddExample(c echo.Context) error {
	ctx := c.Request().Context()
	o := &options{known: exampleOptions}
	u, err := s.readOptionsAndImage(c, o)
	if err != nil {
		return err
	}
	spec := edgelens.ExampleSpec{Dataset: c.Param("name"), Request: o.request(ctx)}
	spec.Label, _ = o.given["label"].value.(string)
	spec.Result, _ = o.given["result_id"].value.(string)
	spec.Request.Model, _ = o.given["extractor"].value.(string)
	spec.Request.Image, spec.Request.SHA256 = u.image, u.sha256
	if spec.Label = strings.TrimSpace(spec.Label); spec.Label == "" {
		return fmt.Errorf("%w: the example has no label; send one in the query, in a field of the form, or as a member of the JSON: label=open", edgelens.ErrInvalid)
	}
	if err := s.mayUseExtractor(ctx, spec.Dataset, spec.Request.Model); err != nil {
		return err
	}
	if err := s.mayCorrect(ctx, spec.Result); err != nil {
		return err
	}
	e, existing, err := s.datasets.Add(ctx, spec)
	if err != nil {
		auditLearning(ctx, "add_example")
		return err
	}
	auditLearning(ctx, "add_example", slog.String("example", e.ID))
	status := http.StatusCreated
	if existing {
		status = http.StatusOK
		if !keyFrom(ctx).MaySee(e.Owner, e.Device) {
			e.Result, e.Device = "", ""
		}
	}
	return s.answer(c, status, o, newExample(e))
}

// mayUseExtractor rejects an extractor that the client's key is not bounded to; without a name, it is that of the dataset.
func (s *Server) mayUseExtractor(ctx context.Context, dataset, name string) error {
	key := keyFrom(ctx)
	if len(key.Models) == 0 {
		return nil
	}
	if name == "" {
		d, err := s.datasets.Dataset(ctx, dataset)
		if err != nil && !errors.Is(err, edgelens.ErrNotFound) {
			return err
		}
		name = d.Extractor.Name
	}
	if !key.MayUseModel(name) {
		return fmt.Errorf("%w: the key %q is for the models %s; name one of them as extractor", edgelens.ErrForbidden, key.Name, strings.Join(key.Models, ", "))
	}
	return nil
}

// mayCorrect rejects a result that the client may not see, with its image; "" is none.
func (s *Server) mayCorrect(ctx context.Context, result string) error {
	if result == "" {
		return nil
	}
	if seen := rules["GET /api/results/:id/image"]; !seen.permits(keyFrom(ctx)) {
		return fmt.Errorf("%w: result_id needs the scope %s, too", edgelens.ErrForbidden, seen.needs())
	}
	_, err := s.visibleResult(ctx, result)
	return err
}
