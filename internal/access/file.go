package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/internal/clip"
)

const (
	// maxFileBytes and maxFileKeys bound a keys file.
	maxFileBytes = 4 << 20
	maxFileKeys  = 10_000
	// fileMode is that of a new keys file.
	fileMode fs.FileMode = 0o600
)

// readFile reads a keys file. Its error is an edgelens.ErrInvalid with every error.
func readFile(path string) ([]edgelens.StoredKey, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	keys, err := parseFile(data)
	if err != nil {
		return nil, fmt.Errorf("the keys file %s: %w", path, err)
	}
	return keys, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no keys file %s; `edgelens key create --keys-file %s --name NAME --scopes admin` makes one with a first key", edgelens.ErrInvalid, path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the keys file cannot be read: %w; its owner must be the user that runs edgelens", edgelens.ErrInvalid, err)
	}
	defer f.Close() // read only
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: the keys file cannot be read: %w", edgelens.ErrInvalid, err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%w: the keys file %s has more than %d bytes", edgelens.ErrInvalid, path, maxFileBytes)
	}
	return data, nil
}

// parseFile reads the text of a keys file: a YAML list of keys. Its error joins every error, each an edgelens.ErrInvalid
// with its line.
func parseFile(data []byte) ([]edgelens.StoredKey, error) {
	list, err := listIn(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	p := &fileParser{ids: map[string]int{}, names: map[string]int{}}
	for _, node := range list {
		p.key(node)
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return p.keys, nil
}

// listIn returns the items of the one list in a document; none if it is empty.
func listIn(data []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("it is not valid YAML: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it must be one YAML document")
	}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null":
		return nil, nil // nothing but comments
	case root.Kind != yaml.SequenceNode:
		return nil, errors.New("it must be a list of keys, each beginning with `- id: ...`")
	case len(root.Content) > maxFileKeys:
		return nil, fmt.Errorf("it has more than %d keys", maxFileKeys)
	}
	return root.Content, nil
}

// fileParser collects the keys of a file, and its errors.
type fileParser struct {
	keys []edgelens.StoredKey
	// ids and names have the line of each.
	ids, names map[string]int
	errs       []error
}

func (p *fileParser) problem(line int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%w: line %d: %s", edgelens.ErrInvalid, line, fmt.Sprintf(format, args...)))
}

// fileMembers are the members of a key in a file.
var fileMembers = []string{"id", "name", "hash", "scopes", "devices", "models", "see_all", "expires", "created"}

func (p *fileParser) key(node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		p.problem(node.Line, "a key must have members such as id and hash")
		return
	}
	before := len(p.errs)
	members := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i]
		switch {
		case !slices.Contains(fileMembers, name.Value):
			p.problem(name.Line, "there is no member %q; a key has %s", clip.Line(name.Value, 80), strings.Join(fileMembers, ", "))
		case members[name.Value] != nil:
			p.problem(name.Line, "%s is given twice", name.Value)
		default:
			members[name.Value] = node.Content[i+1]
		}
	}
	key := edgelens.StoredKey{Key: edgelens.Key{
		ID: p.text(members, "id"), Name: p.text(members, "name"), Devices: p.texts(members, "devices"), Models: p.texts(members, "models"),
		SeeAll: p.boolean(members, "see_all"), Created: p.time(members, "created"), Expires: p.time(members, "expires"),
	}}
	for _, scope := range p.texts(members, "scopes") {
		key.Scopes = append(key.Scopes, edgelens.Scope(scope))
	}
	hash, ok := parseHash(p.text(members, "hash"))
	key.Hash = hash
	if !ok {
		p.problem(node.Line, "hash must be %s and the SHA-256 of the token in 64 hexadecimal digits; `edgelens key create` writes it", hashPrefix)
	}
	if !isID(key.ID) {
		p.problem(node.Line, "id must be the %d letters and digits behind %s in the token", idLength, prefix)
	}
	p.unique(p.ids, "id", key.ID, node.Line)
	p.unique(p.names, "name", key.Name, node.Line)
	for _, err := range unjoin(key.Check()) {
		p.problem(node.Line, "%s", strings.TrimPrefix(err.Error(), edgelens.ErrInvalid.Error()+": "))
	}
	if len(p.errs) == before {
		p.keys = append(p.keys, key)
	}
}

func (p *fileParser) unique(lines map[string]int, member, value string, line int) {
	if earlier, taken := lines[value]; taken && value != "" {
		p.problem(line, "the %s %q is that of the key in line %d, too", member, clip.Line(value, 80), earlier)
	}
	lines[value] = line
}

// scalar returns the text of a member; "" where it is absent or null.
func (p *fileParser) scalar(node *yaml.Node, name string) string {
	if node == nil || node.ShortTag() == "!!null" {
		return ""
	}
	if node.Kind != yaml.ScalarNode {
		p.problem(node.Line, "%s must be one value", name)
		return ""
	}
	return node.Value
}

func (p *fileParser) text(members map[string]*yaml.Node, name string) string {
	return p.scalar(members[name], name)
}

func (p *fileParser) texts(members map[string]*yaml.Node, name string) (list []string) {
	node := members[name]
	if node == nil || node.ShortTag() == "!!null" {
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		p.problem(node.Line, "%s must be a list such as [a, b]", name)
		return nil
	}
	for _, one := range node.Content {
		list = append(list, p.scalar(one, name))
	}
	return list
}

func (p *fileParser) boolean(members map[string]*yaml.Node, name string) bool {
	text := p.text(members, name)
	if text == "" {
		return false
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		p.problem(members[name].Line, "%s must be true or false, not %q", name, clip.Line(text, 80))
	}
	return value
}

func (p *fileParser) time(members map[string]*yaml.Node, name string) time.Time {
	text := p.text(members, name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil && at.Unix() > 0 {
			return at.UTC()
		}
	}
	p.problem(members[name].Line, "%s must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z, not %q", name, clip.Line(text, 80))
	return time.Time{}
}

// unjoin is the reverse of errors.Join.
func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// fileKey is the form of a key that is written.
type fileKey struct {
	ID      string           `yaml:"id"`
	Name    string           `yaml:"name"`
	Hash    string           `yaml:"hash"`
	Scopes  []edgelens.Scope `yaml:"scopes,flow"`
	Devices []string         `yaml:"devices,flow,omitempty"`
	Models  []string         `yaml:"models,flow,omitempty"`
	SeeAll  bool             `yaml:"see_all,omitempty"`
	Created string           `yaml:"created"`
	Expires string           `yaml:"expires,omitempty"`
}

// Append creates a key like the one given, which needs no ID, at the end of a keys file, and returns it with its token.
// What is in the file stays as it is; a missing one is created, readable for this user alone. Errors: edgelens.ErrInvalid
// for an invalid key or file, ErrConflict where the name is taken, ErrStorage where the file cannot be written.
func Append(path string, key edgelens.Key, now time.Time) (edgelens.Key, string, error) {
	created, token, err := appendKey(path, key, now)
	if err != nil {
		return edgelens.Key{}, "", fmt.Errorf("create a key in %s: %w", path, err)
	}
	return created, token, nil
}

func appendKey(path string, key edgelens.Key, now time.Time) (edgelens.Key, string, error) {
	if err := key.Check(); err != nil {
		return edgelens.Key{}, "", err
	}
	before, keep, mode, err := fileToAppend(path)
	if err != nil {
		return edgelens.Key{}, "", err
	}
	keys, err := parseFile(before)
	if err != nil {
		return edgelens.Key{}, "", err
	}
	if slices.ContainsFunc(keys, func(k edgelens.StoredKey) bool { return k.Name == key.Name }) {
		return edgelens.Key{}, "", nameTaken(key.Name)
	}
	token, id := newToken()
	key.ID, key.Created, key.Expires = id, now.UTC().Truncate(time.Second), key.Expires.Truncate(time.Second)
	after, err := withKey(before, edgelens.StoredKey{Key: key, Hash: hashOf(token)})
	if err != nil {
		return edgelens.Key{}, "", err
	}
	if _, err := parseFile(after); err != nil { // a list in flow style, or with other indentation
		return edgelens.Key{}, "", fmt.Errorf("nothing can be added behind its end: write it as a list of items that begin with `- id:` at the start of a line: %w", err)
	}
	if err := atomicfile.WriteChecked(path, after, mode, keep); err != nil {
		return edgelens.Key{}, "", fmt.Errorf("%w: %w", edgelens.ErrStorage, err)
	}
	return key, token, nil
}

// fileToAppend returns the text and the mode of a keys file, and a function that gives its owner to the file that
// replaces it; no text where there is none.
func fileToAppend(path string) (text []byte, keepOwner func(string) error, mode fs.FileMode, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, func(string) error { return nil }, fileMode, nil
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%w: %w", edgelens.ErrStorage, err)
	}
	keepOwner = func(file string) error {
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok || os.Geteuid() != 0 {
			return nil // it can only be ours
		}
		return os.Chown(file, int(owner.Uid), int(owner.Gid))
	}
	text, err = readBounded(path)
	return text, keepOwner, info.Mode().Perm(), err
}

// withKey returns the text with a key behind it.
func withKey(text []byte, key edgelens.StoredKey) ([]byte, error) {
	form := fileKey{
		ID: key.ID, Name: key.Name, Hash: formatHash(key.Hash), Scopes: key.Scopes, Devices: key.Devices, Models: key.Models, SeeAll: key.SeeAll,
		Created: key.Created.Format(time.RFC3339),
	}
	if !key.Expires.IsZero() {
		form.Expires = key.Expires.UTC().Format(time.RFC3339)
	}
	item, err := yaml.Marshal([]fileKey{form})
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(text), []byte("[]")) {
		text = nil
	}
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	return append(bytes.Clone(text), item...), nil
}

func nameTaken(name string) error {
	return fmt.Errorf("%w: there is a key named %q; choose another name, or revoke that one first", edgelens.ErrConflict, name)
}
