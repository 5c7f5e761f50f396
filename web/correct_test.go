package web_test

import (
	"fmt"
	"strings"
	"testing"

	"edgelens/internal/testutil/browsertest"
)

// corrected is the id of a result of fill, and its record's address.
const (
	corrected       = "0197a000-0000-7000-8000-000000000000"
	recordWithImage = "/?view=record&id=" + corrected
)

// keepImage has the result have an image.
func (f *fake) keepImage() {
	f.edit(func() {
		find(f.results, "id", corrected).(object)["image_url"] = "/api/results/" + corrected + "/image"
	})
}

// A wrong result becomes an example: the datasets and their labels are offered, what the service refuses is shown, and what was
// added can be taken back. The focus stays where one works.
func TestCorrection(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	f.keepImage()
	f.edit(func() {
		f.datasets = []object{
			{"name": "bin", "labels": []object{{"label": "out", "count": 2}}},
			{"name": "gate", "labels": []object{{"label": "closed", "count": 3}, {"label": "<b>open</b>", "count": 1}}},
		}
	})
	show(t, ctx, f.URL+recordWithImage)
	press := func(text string) {
		t.Helper()
		browsertest.Run(t, ctx, fmt.Sprintf("[...document.querySelectorAll('main button')].find(e => e.textContent.trim() === %q).click()", text))
	}
	fill := func(dataset, label string) {
		t.Helper()
		browsertest.Run(t, ctx, fmt.Sprintf(`for (const [name, value] of Object.entries({ dataset: %q, label: %q })) { const input = document.querySelector('main form input[name=' + name + ']'); input.value = value; input.dispatchEvent(new Event('input')) }`, dataset, label))
	}
	options := func(list string) string {
		return browsertest.Evaluate[string](t, ctx, fmt.Sprintf("[...document.querySelectorAll('#correct-%s option')].map(o => o.value).join()", list))
	}
	press("That was wrong: it is ...")
	browsertest.Until(t, ctx, "the form has the focus", "document.activeElement.name === 'dataset'")
	if got := options("datasets"); got != "bin,gate" {
		t.Errorf("the datasets %s are offered", got)
	}
	fill("gate", "taken")
	if got := options("labels"); got != "closed,<b>open</b>" {
		t.Errorf("the labels %s are offered", got)
	}
	press("Add to the dataset")
	browsertest.Until(t, ctx, "the refusal is shown", "!document.querySelector('main .form-error').hidden && document.querySelector('main .form-error').textContent.length > 3")
	fill("gate", "open")
	press("Add to the dataset")
	browsertest.Until(t, ctx, "what was added is said", "document.activeElement.getAttribute('role') === 'status' && document.activeElement.textContent.includes('Added to gate as open.')")
	press("Undo")
	browsertest.Until(t, ctx, "it is taken back", "document.activeElement.textContent.includes('That was wrong')")
	press("That was wrong: it is ...")
	browsertest.Until(t, ctx, "the dataset is remembered", "document.querySelector('main form input[name=dataset]')?.value === 'gate'")
	fill("gate", "known")
	press("Add to the dataset")
	browsertest.Until(t, ctx, "an earlier one is said", "document.querySelector('main [role=status]')?.textContent.includes('already')")
	if undo := browsertest.Evaluate[bool](t, ctx, "[...document.querySelectorAll('main button')].some(e => e.textContent.trim() === 'Undo')"); undo {
		t.Error("what was there before can be taken back")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.taught) != 1 || f.taught[0]["label"] != "open" || f.taught[0]["result_id"] != corrected {
		t.Errorf("taught %v", f.taught)
	}
	if got := strings.Join(f.calls, ", "); !strings.HasSuffix(got, "DELETE /api/datasets/gate/examples/e1, POST /api/datasets/gate/examples") {
		t.Errorf("the page called %s", got)
	}
	noErrors(t, watch, "correction", "409")
}

// Without the scope learn, nothing is offered.
func TestCorrectionNeedsLearn(t *testing.T) {
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	f.keepImage()
	for scope, want := range map[string]bool{"page": false, "learn": true} {
		f.edit(func() {
			f.session = object{"key": "abcd", "name": "k", "scopes": []string{"page", scope}, "see_all": true, "csrf_token": "t"}
		})
		show(t, ctx, f.URL+recordWithImage)
		if got := browsertest.Evaluate[bool](t, ctx, "document.querySelector('main').textContent.includes('That was wrong')"); got != want {
			t.Errorf("with %s: offered %v", scope, got)
		}
	}
}

// The system view shows the datasets with their counts and last images.
func TestDatasetsAreShown(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	show(t, ctx, f.URL+"/?view=system")
	browsertest.Until(t, ctx, "the datasets are shown", "['19 examples', 'in 8, out 11', '1 example'].every(text => document.querySelector('.system-datasets').textContent.includes(text))")
	browsertest.Until(t, ctx, "their images are shown", "document.querySelectorAll('.system-datasets img[alt=open]').length === 2")
	noErrors(t, watch, "datasets")
}
