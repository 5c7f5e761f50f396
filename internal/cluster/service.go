package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"edgelens"
)

const (
	// maxFile bounds the bytes of a file of a service.
	maxFile = 1 << 20
	// maxReplicas is far above what one service needs, and catches a port in the wrong line.
	maxReplicas = 1000
	// openSetting lets every client use a service without a key.
	openSetting = "http.open"
)

// Service is what Apply deploys.
type Service struct {
	// Name is that of all its objects.
	Name string `yaml:"name"`
	// Namespace is where it is deployed; "" is that of the context.
	Namespace string `yaml:"namespace"`
	// Image is the reference of an image of edgelens.
	Image string `yaml:"image"`
	// Port is where clients reach it.
	Port int `yaml:"port"`
	// Replicas is how many pods there are.
	Replicas int `yaml:"replicas"`
	// Memory and CPU are quantities of Kubernetes (1Gi, 500m): what each pod is given, and its limit.
	Memory string `yaml:"memory"`
	CPU    string `yaml:"cpu"`
	// Storage, a quantity, gives each pod a volume for its ledger; without one, accepted jobs end with their pod.
	Storage string `yaml:"storage"`
	// Keys is the Secret with keys.yaml, the keys of clients.
	Keys string `yaml:"keys"`
	// Settings are settings of edgelens by key, such as recognize.quality.
	Settings map[string]string `yaml:"settings"`
	// Secrets are settings whose values are in Secrets, each as SECRET/KEY.
	Secrets map[string]string `yaml:"secrets"`
}

// ReadService reads a service from a YAML file. The error is an edgelens.ErrInvalid with every error.
func ReadService(path string) (Service, error) {
	f, err := os.Open(path)
	if err != nil {
		return Service{}, fmt.Errorf("%w: the service's file cannot be read: %w", edgelens.ErrInvalid, err)
	}
	defer f.Close() // read only
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Service{}, fmt.Errorf("%w: the service's file cannot be read: %w", edgelens.ErrInvalid, err)
	}
	if len(data) > maxFile {
		return Service{}, fmt.Errorf("%w: %s has more than %d bytes", edgelens.ErrInvalid, path, maxFile)
	}
	service, err := parseService(data)
	if err != nil {
		return Service{}, fmt.Errorf("%w: %s: %w", edgelens.ErrInvalid, path, err)
	}
	return service, nil
}

func parseService(data []byte) (Service, error) {
	var s Service
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s); errors.Is(err, io.EOF) {
		return s, errors.New("it is empty")
	} else if err != nil {
		return s, readableYAML(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return s, errors.New("it must be one YAML document")
	}
	return s, s.Validate()
}

// members are those of a file, in the order of the documentation.
const members = "name, namespace, image, port, replicas, memory, cpu, storage, keys, settings, secrets"

// readableYAML rewrites the decoder's words for a member that there is not.
func readableYAML(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	texts := make([]string, len(wrong.Errors))
	for i, text := range wrong.Errors {
		text = strings.TrimSuffix(text, " in type cluster.Service")
		if at, name, ok := strings.Cut(text, ": field "); ok && strings.HasSuffix(name, " not found") {
			text = fmt.Sprintf("%s: there is no member %s; there are %s", at, strings.TrimSuffix(name, " not found"), members)
		}
		texts[i] = text
	}
	return errors.New(strings.Join(texts, "\n"))
}

var (
	// label is a name by RFC 1123, as Kubernetes wants it for objects.
	label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	// serviceLabel is one by RFC 1035, as it wants it for services, shorter by what it adds to the names of pods.
	serviceLabel = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$`)
	reference    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$`)
	settingKey   = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)
	secretRef    = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[-._a-zA-Z0-9]+$`)
)

// Validate returns every error of the service.
func (s Service) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(serviceLabel.MatchString(s.Name), "name must be at most 52 lower-case letters, digits and hyphens, beginning with a letter, not %q", s.Name)
	check(s.Namespace == "" || label.MatchString(s.Namespace), "namespace must be lower-case letters, digits and hyphens, not %q", s.Namespace)
	check(reference.MatchString(s.Image), "image must be the reference of an image, as registry.example.com/edgelens:1.2.3, not %q", s.Image)
	check(s.Port >= 1 && s.Port <= 65535 && s.Port != statusPort, "port must be from 1 to 65535 and not %d, where health and metrics are served, but is %d", statusPort, s.Port)
	check(s.Replicas >= 0 && s.Replicas <= maxReplicas, "replicas must be from 0 to %d, but is %d", maxReplicas, s.Replicas)
	checkQuantity(check, "memory", s.Memory, "1Gi", "64Mi")
	checkQuantity(check, "cpu", s.CPU, "500m", "10m")
	if s.Storage != "" {
		checkQuantity(check, "storage", s.Storage, "5Gi", "64Mi")
	}
	check(s.Keys == "" || label.MatchString(s.Keys), "keys must be the name of a Secret, not %q", s.Keys)
	check(s.Keys != "" || s.Settings[openSetting] == "true", "keys must be the name of a Secret with keys.yaml: edgelens refuses to serve other machines without a key (docs/access.md)")
	for _, key := range slices.Sorted(maps.Keys(s.Settings)) {
		check(settingKey.MatchString(key), "settings: %q is not the key of a setting, as recognize.quality", key)
		check(!slices.Contains(ours, key), "settings: %s is set by this command", key)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Secrets)) {
		check(settingKey.MatchString(key), "secrets: %q is not the key of a setting, as redis.url", key)
		check(secretRef.MatchString(s.Secrets[key]), "secrets: %s must be SECRET/KEY, as edgelens-redis/url, not %q", key, s.Secrets[key])
		_, twice := s.Settings[key]
		check(!twice && !slices.Contains(ours, key), "secrets: %s is set by settings, too, or by this command", key)
	}
	return errors.Join(errs...)
}

func checkQuantity(check func(bool, string, ...any), name, text, example, min string) {
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		check(false, "%s must be a quantity such as %s, not %q", name, example, text)
		return
	}
	check(quantity.Cmp(resource.MustParse(min)) >= 0, "%s must be at least %s, not %q", name, min, text)
}
