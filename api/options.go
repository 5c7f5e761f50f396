package api

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"edgelens"
	"edgelens/internal/similar"
)

// option is an option of a call with an image: in the query, as a field of
// a form, or as a member of JSON.
type option struct {
	name string
	// others are names that clients of other services use for it.
	others []string
	// what describes the values, and example is one as JSON.
	what, example string
	// read returns the value, of a comparable type. ok is false for
	// an invalid one.
	read func(text string) (value any, ok bool)
	// isJSON reports whether a JSON value is of the option's type.
	isJSON func(value []byte) bool
}

// recognizeOptions are those of a recognition.
var recognizeOptions = []option{
	{"model", []string{"model_name", "model_id"}, "a name from /api/models", `"mobilenet_v2_1.0_224_int8"`, readText, isJSONString},
	{"task", nil, edgelens.TaskClassification + " or " + edgelens.TaskEmbedding, `"` + edgelens.TaskEmbedding + `"`, readTask, isJSONString},
	{"top_k", []string{"top_n", "max_results", "num_results"}, fmt.Sprintf("a whole number from 1 to %d", edgelens.MaxTopK), "3", readTopK, isJSONNumber},
	{"min_score", []string{"threshold", "score_threshold", "confidence_threshold", "min_confidence", "min_probability"}, "a number from 0 to 1 with a decimal point", "0.5", readScore, isJSONNumber},
	{"fit", []string{"view", "fit_mode", "object_fit", "resize_mode", "scale_mode"}, fitWanted, `"center"`, readFitOption, isJSONString},
	{"region", []string{"roi", "region_of_interest", "crop", "crop_region", "crop_box"}, regionWanted, `"0.25,0,0.5,1"`, readRegionOption, isJSONRegion},
	{"cache", []string{"no_cache", "use_cache"}, "true or false", "false", readBool, isJSONBool},
	{"queue", nil, edgelens.QueueInteractive + " or " + edgelens.QueueBulk, `"` + edgelens.QueueBulk + `"`, readQueue, isJSONString},
}

// findOption returns an option of a recognition, or nil.
func findOption(name string) *option { return findIn(recognizeOptions, name) }

func findIn(known []option, name string) *option {
	for i := range known {
		if known[i].name == name {
			return &known[i]
		}
	}
	return nil
}

func readText(text string) (any, bool) { return text, true }

// decimal is a plain number: no infinity, no hexadecimal digits.
var decimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)

func readNumber(text string) (float64, bool) {
	value, err := strconv.ParseFloat(text, 64)
	return value, err == nil && len(text) <= maxNumber && decimal.MatchString(text)
}

// maxNumber is the maximum number of digits of a number.
const maxNumber = 64

// readTopK accepts 3.0 for 3, as JSON Schema does.
func readTopK(text string) (any, bool) {
	value, ok := readNumber(text)
	return int(value), ok && value >= 1 && value <= edgelens.MaxTopK && value == float64(int(value))
}

func readScore(text string) (any, bool) {
	value, ok := readNumber(text)
	return value, ok && value >= 0 && value <= 1
}

// readBool accepts the forms of programming languages.
func readBool(text string) (any, bool) {
	switch strings.ToLower(text) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return nil, false
}

func readTask(text string) (any, bool) {
	return text, text == edgelens.TaskClassification || text == edgelens.TaskEmbedding
}

func readQueue(text string) (any, bool) {
	return text, text == edgelens.QueueInteractive || text == edgelens.QueueBulk
}

func isJSONString(value []byte) bool { return value[0] == '"' }
func isJSONNumber(value []byte) bool { return value[0] == '-' || '0' <= value[0] && value[0] <= '9' }
func isJSONBool(value []byte) bool   { return value[0] == 't' || value[0] == 'f' }

// options are the options of one request, from all places.
type options struct {
	// known are the options that there are; nil: those of a recognition.
	known []option
	given map[string]givenOption
	// ignored are names of fields that are no options.
	ignored []string
}

type givenOption struct {
	value any
	place string
}

// all returns the options that there are.
func (o *options) all() []option {
	if o.known == nil {
		return recognizeOptions
	}
	return o.known
}

// find returns an option, or nil.
func (o *options) find(name string) *option { return findIn(o.all(), name) }

// add reads an option from a place such as "the query". The same value twice is
// allowed; two different ones are an error, as either could be meant.
func (o *options) add(name, text, place string) error {
	known := o.find(name)
	value, ok := known.read(text)
	if !ok {
		return fmt.Errorf("%w: %s in %s must be %s, such as %s=%s, and not %q", edgelens.ErrInvalid, name, place, known.what, name, strings.Trim(known.example, `"`), short(text))
	}
	if before, twice := o.given[name]; twice && before.value != value {
		where := "in " + place
		if before.place != place {
			where = "in " + before.place + " and in " + place
		}
		return fmt.Errorf("%w: %s is given twice %s, with different values; send it once", edgelens.ErrInvalid, name, where)
	}
	if o.given == nil {
		o.given = map[string]givenOption{}
	}
	o.given[name] = givenOption{value, place}
	return nil
}

// addJSON reads an option from a JSON body; null is no option.
func (o *options) addJSON(m member) error {
	known := o.find(m.name)
	if len(m.value) > headBytes {
		return fmt.Errorf("%w: the member %q is too long", edgelens.ErrInvalid, m.name)
	}
	text := string(m.value)
	switch {
	case text == "null":
		return nil
	case !known.isJSON(m.value):
		return fmt.Errorf("%w: the member %q must be %s, such as {%q: %s}, and not %s", edgelens.ErrInvalid, m.name, known.what, m.name, known.example, short(text))
	case m.isString():
		text = string(stringContent(m.value))
	case m.value[0] == '{':
		region, _ := readRegionObject(m.value) // isJSON has read it
		text = region.String()
	}
	return o.add(m.name, text, "the JSON")
}

// ignore records the name of a field or member that is no option. It is an error
// if the name is similar to that of one, which the client probably meant.
func (o *options) ignore(name, place string) error {
	if meant := meantIn(o.all(), name); meant != "" {
		return fmt.Errorf("%w: there is no option %q; did you mean %s? (in %s)", edgelens.ErrInvalid, short(name), meant, place)
	}
	if !slices.Contains(o.ignored, name) {
		o.ignored = append(o.ignored, name)
	}
	return nil
}

// meantOption returns the option of a recognition with a similar name, or "".
func meantOption(name string) string { return meantIn(recognizeOptions, name) }

func meantIn(known []option, name string) string {
	plain := plainName(name)
	for _, o := range known {
		if own := plainName(o.name); similar.Distance(plain, own) <= slips(own, plain) {
			return o.name
		}
		for _, other := range o.others {
			if plain == plainName(other) {
				return o.name
			}
		}
	}
	return ""
}

// slips is the number of wrong letters up to which a name was probably meant to be that of
// an option. With a letter changed or missing, a short one is another word, such as "fmt".
func slips(option, name string) int {
	switch {
	case len(option) <= 3 && len(name) <= len(option):
		return 0
	case len(option) <= 6:
		return 1
	default:
		return 2
	}
}

// plainName is a name without capitals and punctuation.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-. []", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// request returns the request without its image.
func (o *options) request(ctx context.Context) *edgelens.Request {
	x := exchangeFrom(ctx)
	req := &edgelens.Request{ID: x.id, Source: "http", Owner: x.key.ID, Client: x.client, Trace: x.trace}
	req.Model, _ = o.given["model"].value.(string)
	req.Task, _ = o.given["task"].value.(string)
	req.TopK, _ = o.given["top_k"].value.(int)
	req.MinScore, _ = o.given["min_score"].value.(float64)
	req.View.Fit, _ = o.given["fit"].value.(edgelens.Fit)
	req.View.Region, _ = o.given["region"].value.(edgelens.Region)
	if cache, given := o.given["cache"].value.(bool); given {
		req.NoCache = !cache
	}
	return req
}

const (
	// maxIgnored is how many names the header lists.
	maxIgnored = 10
	// maxIgnoredName is how long each may be.
	maxIgnoredName = 40
)

// ignoredHeader lists ignored fields for a response header, without characters that
// a header cannot contain.
func ignoredHeader(ignored []string) string {
	var names []string
	for _, name := range ignored {
		name = strings.Map(func(r rune) rune {
			if r <= ' ' || r > '~' || r == ',' {
				return '?'
			}
			return r
		}, name)
		if len(names) == maxIgnored {
			names = append(names, "...")
			break
		}
		names = append(names, name[:min(len(name), maxIgnoredName)])
	}
	return strings.Join(names, ", ")
}
