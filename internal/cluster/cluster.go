// Package cluster deploys edgelens to Kubernetes, and reports how services and nodes are there. Objects are read and written as
// maps: the types of Kubernetes' API would double what the client adds to the program (docs/adr/0047-kubernetes.md); tests decode
// what is written strictly by them.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/homedir"

	"edgelens"
)

// requestTimeout bounds one request to the API server.
const requestTimeout = 30 * time.Second

// k3sConfig is the configuration that K3s writes for its own kubectl.
const k3sConfig = "/etc/rancher/k3s/k3s.yaml"

// The resources that are read and written.
var (
	deployments  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	statefulSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	services     = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	budgets      = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
	pods         = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	nodes        = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	events       = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

// Options choose a cluster.
type Options struct {
	// Kubeconfig is a file; "" is that of kubectl (KUBECONFIG, ~/.kube/config), that of K3s on its server, or, in a pod, its
	// account.
	Kubeconfig string
	// Context is one of its contexts; "" is the current one.
	Context string
	// Namespace overrides that of the context.
	Namespace string
	// Warnings gets those of the API server, one a line; nil drops them.
	Warnings io.Writer
}

// Cluster is a connection to the API server of a cluster. It is safe for use by many goroutines.
type Cluster struct {
	objects   dynamic.Interface
	http      *http.Client
	server    string
	namespace string
	// every is how often a rollout is looked at.
	every time.Duration
}

// Connect reads the configuration; it sends no request. The error is an edgelens.ErrInvalid.
func Connect(o Options) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	if o.Kubeconfig == "" && !hasKubeconfig() && readable(k3sConfig) {
		rules.ExplicitPath = k3sConfig
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	overrides.Context.Namespace = o.Namespace
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("%w: the cluster's configuration cannot be used: %w; --kubeconfig names a file with it", edgelens.ErrInvalid, err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("%w: the cluster's configuration cannot be used: %w", edgelens.ErrInvalid, err)
	}
	config.QPS = -1 // a command sends few requests, and waits for no others
	config.Timeout = requestTimeout
	config.WarningHandlerWithContext = rest.NoWarnings{}
	if o.Warnings != nil {
		config.WarningHandlerWithContext = nil
		config.WarningHandler = rest.NewWarningWriter(o.Warnings, rest.WarningWriterOptions{Deduplicate: true})
	}
	return connect(config, namespace)
}

func connect(config *rest.Config, namespace string) (*Cluster, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("%w: the cluster's configuration cannot be used: %w", edgelens.ErrInvalid, err)
	}
	objects, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("%w: the cluster's configuration cannot be used: %w", edgelens.ErrInvalid, err)
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("%w: the cluster's configuration cannot be used: %w", edgelens.ErrInvalid, err)
	}
	return &Cluster{objects: objects, http: client, server: server.String(), namespace: namespace, every: time.Second}, nil
}

// hasKubeconfig reports whether kubectl would find a configuration.
func hasKubeconfig() bool {
	if os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != "" {
		return true
	}
	home := homedir.HomeDir()
	return home != "" && readable(filepath.Join(home, ".kube", "config"))
}

func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// explain adds to an error of the API server what to do.
func explain(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", doing, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %w; log in to the cluster again, or choose another --context", doing, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w; docs/kubernetes.md lists the permissions that it needs", doing, err)
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: the API server does not answer: %w; check the address in --kubeconfig, and the network", doing, err)
}
