package accuracy

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"edgelens"
)

// row is a line of a labels file: an image and what names its class.
type row struct {
	file string
	// names are the columns about the class that are not empty.
	names []name
}

// name is a text that names a class.
type name struct {
	text string
	by   kind
}

// columns are the headers of columns, in the form of headerName, by what they hold.
var columns = []struct {
	title   string
	headers []string
	by      kind
	isFile  bool
}{
	{title: "file", isFile: true, headers: []string{"file", "file_name", "filename", "file_path", "filepath", "image", "image_file", "image_name", "image_path", "img", "path"}},
	{title: "class_id", by: byID, headers: []string{"class_id", "classid", "class_index", "class_number", "class_idx", "id", "index", "idx", "label_id", "labelid", "category_id"}},
	{title: "synset", by: bySynset, headers: []string{"synset", "synset_id", "wnid", "wordnet_id", "wordnet"}},
	{title: "label", by: byLabel, headers: []string{"label", "labels", "label_name", "label_text", "class_name", "classname", "class_label", "category", "category_name", "name"}},
	{title: "class", by: byAny, headers: []string{"class", "target", "truth", "ground_truth"}},
}

// header is the first line of a labels file: for each column the index in columns, or -1.
type header struct {
	columns []int
	// unused are the titles of the columns that are not understood.
	unused []string
}

// readLabelsFile passes each line of a labels file to take: a table whose first line names the columns, separated by
// tabs, commas or semicolons. It returns the titles of the columns that are not used. The error wraps
// edgelens.ErrInvalid, or is that of the reader.
func readLabelsFile(in io.Reader, take func(row)) (unused []string, err error) {
	buffered := bufio.NewReader(in)
	if mark, _ := buffered.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(len(mark)) // it was read
	}
	comma, err := separator(buffered)
	if err != nil {
		return nil, err
	}
	table := csv.NewReader(buffered)
	table.Comma, table.FieldsPerRecord, table.LazyQuotes, table.ReuseRecord = comma, -1, true, true
	var head header
	for n := 0; ; n++ {
		fields, err := table.Read()
		if errors.Is(err, io.EOF) && n > 0 {
			return head.unused, nil
		}
		if err != nil {
			return nil, describe(err)
		}
		if n == 0 {
			head, err = readHeader(fields)
		} else {
			err = readRow(head, fields, take)
		}
		if err != nil {
			line, _ := table.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// describe is an error of the reader, with the line where it is about the content.
func describe(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it is empty; its first line must name the columns, such as file and class_id", edgelens.ErrInvalid)
	case errors.As(err, &parse):
		return fmt.Errorf("%w: line %d: %v", edgelens.ErrInvalid, parse.Line, parse.Err)
	}
	return err
}

// maxHeader is the maximum size of the first line in bytes.
const maxHeader = 4096

// separator finds out by the first line what separates the columns.
func separator(in *bufio.Reader) (rune, error) {
	start, err := in.Peek(maxHeader)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return 0, err
	}
	if strings.HasPrefix(string(start), "\xff\xfe") || strings.HasPrefix(string(start), "\xfe\xff") {
		return 0, fmt.Errorf("%w: it is in UTF-16; save it as UTF-8", edgelens.ErrInvalid)
	}
	first, _, _ := strings.Cut(strings.TrimLeft(string(start), "\r\n"), "\n")
	switch {
	case strings.Contains(first, "\t"):
		return '\t', nil
	case strings.Count(first, ";") > strings.Count(first, ","):
		return ';', nil
	}
	return ',', nil
}

// headerName is a column's title without what people write in different ways.
func headerName(title string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(title)))
}

func readHeader(fields []string) (header, error) {
	var h header
	for _, title := range fields {
		which := -1
		for i, column := range columns {
			if slices.Contains(column.headers, headerName(title)) {
				which = i
			}
		}
		switch {
		case which < 0 && strings.TrimSpace(title) != "":
			h.unused = append(h.unused, strings.ToValidUTF8(strings.TrimSpace(title), "?"))
		case which >= 0 && slices.Contains(h.columns, which):
			return h, fmt.Errorf("%w: two columns are the %s; leave one of them", edgelens.ErrInvalid, columns[which].title)
		}
		h.columns = append(h.columns, which)
	}
	if !slices.Contains(h.columns, 0) {
		return h, fmt.Errorf("%w: no column is named file; the first line must name the columns", edgelens.ErrInvalid)
	}
	if !slices.ContainsFunc(h.columns, func(i int) bool { return i > 0 }) {
		return h, fmt.Errorf("%w: no column is named class_id, class, label or synset", edgelens.ErrInvalid)
	}
	return h, nil
}

// maxPath is the maximum length of a path in bytes, as of Linux.
const maxPath = 4096

func readRow(head header, fields []string, take func(row)) error {
	if len(fields) == 1 && strings.TrimSpace(fields[0]) == "" {
		return nil // a line of spaces
	}
	var r row
	for i, text := range fields {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
			continue
		case i >= len(head.columns):
			return fmt.Errorf("%w: there are %d fields but %d columns; put quotes around a field that has the separator in it", edgelens.ErrInvalid, len(fields), len(head.columns))
		case strings.ContainsAny(text, "\r\n"):
			return fmt.Errorf("%w: a field goes on over the end of the line; a quote is not closed", edgelens.ErrInvalid)
		case !utf8.ValidString(text):
			return fmt.Errorf("%w: it is not UTF-8; save the file as UTF-8", edgelens.ErrInvalid)
		}
		if which := head.columns[i]; which == 0 {
			r.file = strings.Clone(text)
		} else if which > 0 {
			r.names = append(r.names, name{strings.Clone(text), columns[which].by})
		}
	}
	switch {
	case r.file == "":
		return fmt.Errorf("%w: the file is not named", edgelens.ErrInvalid)
	case len(r.file) > maxPath:
		return fmt.Errorf("%w: the file's name has %d bytes, and at most %d are possible", edgelens.ErrInvalid, len(r.file), maxPath)
	}
	take(r)
	return nil
}
