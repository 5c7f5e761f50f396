package models

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The names, in lower case, of the columns of a CSV and the members of JSON objects
// with the names and the numbers of classes.
var (
	nameHeads   = []string{"display_name", "displayname", "name", "label", "class_name", "classname", "label_name", "title", "description"}
	numberHeads = []string{"id", "index", "idx", "class_id", "classid", "class_index", "label_id", "class_idx", "number", "class", "key"}
	listMembers = []string{"labels", "names", "classes", "categories", "class_names", "classnames", "id2label", "label2id", "index_to_name"}
)

// csvLabels reads CSV with a header; false where there is none. Without a header,
// commas belong to the names, as in ImageNet's "tench, Tinca tinca".
func csvLabels(text string) ([]string, labelFormat, bool, error) {
	head, _, _ := strings.Cut(text, "\n")
	for _, comma := range []rune{',', ';', '\t'} {
		cells := strings.Split(strings.ToLower(head), string(comma))
		if len(cells) < 2 {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " \t\r\"'#")
		}
		name, number := column(cells, nameHeads), column(cells, numberHeads)
		if number < 0 || name < 0 && len(cells) > 2 {
			continue
		}
		if name < 0 { // "class_id,species"
			name = 1 - number
		}
		names, form, err := csvRows(text, comma, name, number)
		return names, form, true, err
	}
	return nil, labelFormat{}, false, nil
}

func column(cells, heads []string) int {
	for _, head := range heads {
		if i := slices.Index(cells, head); i >= 0 {
			return i
		}
	}
	return -1
}

func csvRows(text string, comma rune, name, number int) ([]string, labelFormat, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.TrimLeadingSpace = comma, true, -1, comma != '\t'
	rows, err := r.ReadAll()
	if err != nil {
		return nil, labelFormat{}, errors.New("the labels begin like CSV with a header and are none: check the quotation marks")
	}
	var list []numberedName
	for i, row := range rows[1:] {
		if len(row) <= max(name, number) {
			return nil, labelFormat{}, fmt.Errorf("row %d of the labels has %d columns; the header has a name in column %d and a number in column %d", i+2, len(row), name+1, number+1)
		}
		n, err := strconv.Atoi(strings.TrimSpace(row[number]))
		if err != nil {
			return nil, labelFormat{}, fmt.Errorf("row %d of the labels has %.50q in the column of the class numbers", i+2, row[number])
		}
		list = append(list, numberedName{n, strings.TrimSpace(row[name])})
	}
	return byNumber(list)
}

// looksLikeJSON distinguishes JSON from names in brackets.
func looksLikeJSON(trimmed string) bool {
	first, last := trimmed[0], trimmed[len(trimmed)-1]
	return first == '[' && last == ']' && (json.Valid([]byte(trimmed)) || strings.ContainsRune(trimmed, '"')) || first == '{' && last == '}'
}

var errOtherJSON = errors.New("the labels are JSON of another format than a list of names or an object from numbers to names; write a list: [\"first\", \"second\"]")

func jsonLabels(data []byte) ([]string, labelFormat, error) {
	if !json.Valid(data) {
		return nil, labelFormat{}, errors.New("the labels look like JSON and are not; check brackets, commas and quotation marks")
	}
	switch data[0] {
	case '[':
		return jsonList(data)
	case '{':
		return jsonObject(data, true)
	}
	return nil, labelFormat{}, errOtherJSON
}

func jsonList(data []byte) ([]string, labelFormat, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil || len(items) > maxLabels {
		return nil, labelFormat{}, errOtherJSON
	}
	var names []string
	var list []numberedName
	for _, item := range items {
		var name string
		if json.Unmarshal(item, &name) == nil && item[0] == '"' {
			names = append(names, strings.TrimSpace(name))
			continue
		}
		n, numbered, ok := jsonItem(item)
		switch {
		case !ok:
			return nil, labelFormat{}, errOtherJSON
		case numbered:
			list = append(list, n)
		default:
			names = append(names, n.name)
		}
	}
	switch {
	case len(list) == 0:
		return names, labelFormat{}, nil
	case len(names) == 0:
		return byNumber(list)
	}
	return nil, labelFormat{}, errors.New("some of the labels have a number and some have none")
}

// jsonItem reads an object with the name of a class and optionally its number.
func jsonItem(item json.RawMessage) (n numberedName, numbered, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(item, &members) != nil {
		return n, false, false
	}
	lower := make(map[string]json.RawMessage, len(members))
	for key, value := range members {
		lower[strings.ToLower(key)] = value
	}
	for _, head := range nameHeads {
		if value, there := lower[head]; there && json.Unmarshal(value, &n.name) == nil {
			ok = true
			break
		}
	}
	for _, head := range numberHeads {
		if value, there := lower[head]; there {
			if json.Unmarshal(value, &n.number) != nil {
				return n, false, false
			}
			numbered = true
			break
		}
	}
	n.name = strings.TrimSpace(n.name)
	return n, numbered, ok
}

// jsonObject reads an object from numbers to names, from names to numbers, or, at
// the top, one that has labels among other members.
func jsonObject(data []byte, top bool) ([]string, labelFormat, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || len(members) > maxLabels {
		return nil, labelFormat{}, errOtherJSON
	}
	var list []numberedName
	for key, value := range members {
		n, ok := numberedMember(key, value)
		if !ok {
			list = nil
			break
		}
		list = append(list, n)
	}
	if len(list) > 0 {
		return byNumber(list)
	}
	for _, name := range listMembers {
		value, there := members[name]
		switch {
		case !there || !top:
		case value[0] == '[':
			return jsonList(value)
		case value[0] == '{':
			return jsonObject(value, false)
		}
	}
	return nil, labelFormat{}, errOtherJSON
}

// numberedMember reads "3": "name", "3": ["n01440764", "name"] and "name": 3.
func numberedMember(key string, value json.RawMessage) (n numberedName, ok bool) {
	var number int
	if value[0] != '"' && json.Unmarshal(value, &number) == nil {
		return numberedName{number, strings.TrimSpace(key)}, true
	}
	number, err := strconv.Atoi(key)
	if err != nil {
		return n, false
	}
	var name string
	if json.Unmarshal(value, &name) == nil {
		return numberedName{number, strings.TrimSpace(name)}, true
	}
	var names []string
	if json.Unmarshal(value, &names) == nil && len(names) > 0 {
		return numberedName{number, strings.TrimSpace(names[len(names)-1])}, true
	}
	return n, false
}

// pbtxt: https://github.com/tensorflow/models/blob/master/research/object_detection/protos/string_int_label_map.proto
var (
	pbtxtStart  = regexp.MustCompile(`^(#[^\n]*\n\s*)*item\s*:?\s*\{`)
	pbtxtItem   = regexp.MustCompile(`^(?:\s|,|;|#[^\n]*(?:\n|$))*item\s*:?\s*\{((?:[^{}"']|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')*)\}`)
	pbtxtMember = regexp.MustCompile(`([a-z_]+)\s*:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?[\w./]+)`)
	pbtxtEnd    = regexp.MustCompile(`^(?:\s|,|;|#[^\n]*(?:\n|$))*$`)
	pbtxtEscape = regexp.MustCompile(`\\(.)`)
)

func pbtxtLabels(text string) ([]string, labelFormat, error) {
	var list []numberedName
	for !pbtxtEnd.MatchString(text) {
		item := pbtxtItem.FindStringSubmatch(text)
		if item == nil {
			return nil, labelFormat{}, fmt.Errorf("item %d of the labels cannot be read; the form is item { id: 0 name: \"...\" }", len(list))
		}
		text = text[len(item[0]):]
		n, names, numbered := numberedName{}, map[string]string{}, false
		for _, member := range pbtxtMember.FindAllStringSubmatch(item[1], -1) {
			if member[1] == "id" {
				number, err := strconv.Atoi(member[2])
				n.number, numbered = number, err == nil
				continue
			}
			if value := member[2]; value[0] == '"' || value[0] == '\'' {
				names[member[1]] = pbtxtEscape.ReplaceAllString(value[1:len(value)-1], "$1")
			}
		}
		n.name = strings.TrimSpace(names["display_name"])
		if n.name == "" {
			n.name = strings.TrimSpace(names["name"])
		}
		if !numbered || n.name == "" {
			return nil, labelFormat{}, fmt.Errorf("item %d of the labels has no id or no name", len(list))
		}
		if list = append(list, n); len(list) > maxLabels {
			return nil, labelFormat{}, fmt.Errorf("the list of labels has more than %d items", maxLabels)
		}
	}
	return byNumber(list)
}
