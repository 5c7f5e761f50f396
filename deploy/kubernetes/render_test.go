// Package kubernetes has the manifests for Kubernetes. Its tests render them, decode every object strictly, and compare them with
// what the program really has.
package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"edgelens/internal/app"
	"edgelens/internal/cluster/manifesttest"
	"edgelens/internal/config"
)

// rendered are the objects of an overlay.
type rendered struct {
	objects map[string]runtime.Object // by "Kind name", but for those below
	custom  map[string]map[string]any // of the kinds that others define
}

var overlays = []string{"k3s", "cluster"}

func render(t *testing.T, overlay string) rendered {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	r := rendered{map[string]runtime.Object{}, map[string]map[string]any{}}
	for _, resource := range all.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := yaml.UnmarshalStrict(text, &object); err != nil { // as kubectl reads it: 0440 is octal
			t.Fatal(err)
		}
		name := resource.GetKind() + " " + resource.GetName()
		if resource.GetKind() != "Namespace" && resource.GetNamespace() != "edgelens" {
			t.Errorf("%s is in the namespace %q", name, resource.GetNamespace())
		}
		switch group, _, _ := strings.Cut(resource.GetApiVersion(), "/"); group {
		case "keda.sh", "monitoring.coreos.com":
			r.custom[name] = object
		default:
			r.objects[name] = manifesttest.Decode(t, object)
		}
	}
	return r
}

// podsOf returns the pod templates of an overlay, by "Kind name".
func (r rendered) pods() map[string]corev1.PodTemplateSpec {
	all := map[string]corev1.PodTemplateSpec{}
	for name, object := range r.objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			all[name] = o.Spec.Template
		case *appsv1.StatefulSet:
			all[name] = o.Spec.Template
		}
	}
	return all
}

// settings returns the ConfigMaps, by name.
func (r rendered) settings() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, object := range r.objects {
		if c, ok := object.(*corev1.ConfigMap); ok {
			all[c.Name] = c.Data
		}
	}
	return all
}

func TestOverlaysHave(t *testing.T) {
	node := []string{"Namespace edgelens", "StatefulSet edgelens", "Service edgelens", "Service edgelens-nodes", "PodDisruptionBudget edgelens", "NetworkPolicy edgelens"}
	more := []string{
		"Deployment edgelens-workers", "Service edgelens-workers", "PodDisruptionBudget edgelens-workers", "NetworkPolicy edgelens-workers",
		"StatefulSet edgelens-redis", "Service edgelens-redis", "NetworkPolicy edgelens-redis",
	}
	custom := []string{"ScaledObject edgelens-workers", "ServiceMonitor edgelens", "TriggerAuthentication edgelens-redis"}
	for overlay, want := range map[string][]string{"k3s": node, "cluster": slices.Concat(node, more, custom)} {
		r := render(t, overlay)
		var got []string
		for name := range r.objects {
			if !strings.HasPrefix(name, "ConfigMap ") {
				got = append(got, name)
			}
		}
		for name := range r.custom {
			got = append(got, name)
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
			t.Errorf("overlay %s: %q, want %q", overlay, got, want)
		}
	}
}

func TestPods(t *testing.T) {
	for _, overlay := range overlays {
		for name, template := range render(t, overlay).pods() {
			t.Run(overlay+" "+name, func(t *testing.T) { manifesttest.CheckPod(t, template.Spec) })
		}
	}
}

// The variables of the containers are settings, with values that edgelens accepts.
func TestSettings(t *testing.T) {
	for _, overlay := range overlays {
		r := render(t, overlay)
		for name, template := range r.pods() {
			if name == "StatefulSet edgelens-redis" {
				continue
			}
			for _, c := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
				t.Run(overlay+" "+name+" "+c.Name, func(t *testing.T) {
					loaded, err := config.Load(pflag.NewFlagSet("test", pflag.ContinueOnError), atHand(t, manifesttest.Environment(t, c, r.settings())))
					if err != nil {
						t.Fatal(err)
					}
					checkSizes(t, template.Spec, c, loaded)
				})
			}
		}
	}
}

// atHand replaces the files of an environment by some of this machine.
func atHand(t *testing.T, environ []string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("redis://:secret@edgelens-redis:6379/0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, pair := range environ {
		if strings.HasPrefix(pair, "EDGELENS_REDIS_URL_FILE=") {
			environ[i] = "EDGELENS_REDIS_URL_FILE=" + file
		}
	}
	return append(environ, "EDGELENS_DATA_DIR="+t.TempDir()) // of the image
}

// checkSizes compares the limits of a container with what edgelens takes by its settings.
func checkSizes(t *testing.T, pod corev1.PodSpec, c corev1.Container, loaded *config.Config) {
	t.Helper()
	// Models, heap, helpers, Redis and mosquitto, as internal/app/memory.go has it.
	const service = 160 << 20
	if limit := c.Resources.Limits.Memory().Value(); c.Name == "edgelens" && limit-service < loaded.Decode.Memory {
		t.Errorf("%d MiB are less than decode.memory and 160 MiB for the rest", limit>>20)
	}
	const margin = 15 * time.Second // for Redis and what is slow
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	if needed := 2*loaded.StopDrain + app.StopTimeout + margin; c.StartupProbe != nil && c.ReadinessProbe.HTTPGet != nil && len(pod.InitContainers) == 0 && grace < needed {
		t.Errorf("it is killed after %s, and stopping takes up to %s", grace, needed)
	}
}

// Before a node stops serving, its readiness probe has failed.
func TestDrainIsLongerThanTheProbe(t *testing.T) {
	for _, overlay := range overlays {
		r := render(t, overlay)
		c := r.pods()["StatefulSet edgelens"].Spec.Containers[0]
		loaded, err := config.Load(pflag.NewFlagSet("test", pflag.ContinueOnError), atHand(t, manifesttest.Environment(t, c, r.settings())))
		if err != nil {
			t.Fatal(err)
		}
		probe := c.ReadinessProbe
		if notices := time.Duration(probe.PeriodSeconds*probe.FailureThreshold+probe.TimeoutSeconds) * time.Second; loaded.StopDrain <= notices {
			t.Errorf("overlay %s: stop.drain is %s, and the probe takes up to %s to fail", overlay, loaded.StopDrain, notices)
		}
	}
}

// Services, budgets and policies select pods, and name ports that these have.
func TestSelectors(t *testing.T) {
	for _, overlay := range overlays {
		r := render(t, overlay)
		selected := func(name string, selector map[string]string) (found []corev1.PodTemplateSpec) {
			for _, template := range r.pods() {
				if labels.SelectorFromSet(selector).Matches(labels.Set(template.Labels)) {
					found = append(found, template)
				}
			}
			if len(found) != 1 || len(selector) == 0 {
				t.Errorf("overlay %s: %s selects the pods of %d workloads by %v, want 1", overlay, name, len(found), selector)
			}
			return found
		}
		for name, object := range r.objects {
			switch o := object.(type) {
			case *appsv1.StatefulSet:
				selected(name, o.Spec.Selector.MatchLabels)
				if _, ok := r.objects["Service "+o.Spec.ServiceName]; !ok {
					t.Errorf("%s: there is no Service %s", name, o.Spec.ServiceName)
				}
			case *appsv1.Deployment:
				selected(name, o.Spec.Selector.MatchLabels)
			case *policyv1.PodDisruptionBudget:
				selected(name, o.Spec.Selector.MatchLabels)
			case *corev1.Service:
				for _, template := range selected(name, o.Spec.Selector) {
					for _, port := range o.Spec.Ports {
						if !manifesttest.HasPort(template.Spec.Containers[0], port.TargetPort) {
							t.Errorf("%s: no port %s", name, port.TargetPort.String())
						}
					}
				}
			case *networkingv1.NetworkPolicy:
				for _, template := range selected(name, o.Spec.PodSelector.MatchLabels) {
					for _, rule := range o.Spec.Ingress {
						for _, port := range rule.Ports {
							if !manifesttest.HasPort(template.Spec.Containers[0], *port.Port) {
								t.Errorf("%s: no port %s", name, port.Port.String())
							}
						}
					}
				}
			}
		}
	}
}

// strictly decodes the spec of a kind that another project defines into what of it is used here; make k8s-check has the API server do
// that by their own definitions.
func strictly(t *testing.T, object map[string]any, spec any) {
	t.Helper()
	data, err := yaml.Marshal(object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, spec); err != nil {
		t.Fatal(err)
	}
}

func TestServiceMonitor(t *testing.T) {
	r := render(t, "cluster")
	var spec struct {
		JobLabel  string               `json:"jobLabel"`
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port, Path, Interval string
		} `json:"endpoints"`
	}
	strictly(t, r.custom["ServiceMonitor edgelens"], &spec)
	var scraped []string
	for _, object := range r.objects {
		service, ok := object.(*corev1.Service)
		if !ok || !labels.SelectorFromSet(spec.Selector.MatchLabels).Matches(labels.Set(service.Labels)) {
			continue
		}
		if job := service.Labels[spec.JobLabel]; job != "edgelens" {
			t.Errorf("the label job of %s is %q; the alarms have edgelens", service.Name, job)
		}
		for _, port := range service.Spec.Ports {
			if port.Name == spec.Endpoints[0].Port {
				scraped = append(scraped, service.Name)
			}
		}
	}
	slices.Sort(scraped)
	if !slices.Equal(scraped, []string{"edgelens-nodes", "edgelens-workers"}) {
		t.Errorf("metrics are read of %q", scraped)
	}
}

// The workload, the Redis and the Secret of the scaling exist; worker/scaling_test.go checks the lists.
func TestScaledObject(t *testing.T) {
	r := render(t, "cluster")
	var spec struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount, MaxReplicaCount, PollingInterval, CooldownPeriod int
		Triggers                                                          []struct {
			Type              string            `json:"type"`
			Metadata          map[string]string `json:"metadata"`
			AuthenticationRef struct {
				Name string `json:"name"`
			} `json:"authenticationRef"`
		} `json:"triggers"`
	}
	strictly(t, r.custom["ScaledObject edgelens-workers"], &spec)
	workers, ok := r.objects["Deployment "+spec.ScaleTargetRef.Name].(*appsv1.Deployment)
	if !ok {
		t.Fatalf("there is no Deployment %s", spec.ScaleTargetRef.Name)
	}
	if workers.Spec.Replicas != nil {
		t.Error("the Deployment has replicas, which each apply would set against KEDA")
	}
	for _, trigger := range spec.Triggers {
		host, port, _ := strings.Cut(trigger.Metadata["address"], ":")
		if name := strings.TrimSuffix(host, ".edgelens.svc"); r.objects["Service "+name] == nil || port != "6379" {
			t.Errorf("there is no Redis at %s", trigger.Metadata["address"])
		}
		if r.custom["TriggerAuthentication "+trigger.AuthenticationRef.Name] == nil {
			t.Errorf("there is no TriggerAuthentication %s", trigger.AuthenticationRef.Name)
		}
	}
}

// The Redis is set up as that of compose, but for its password and addresses.
func TestRedisSettings(t *testing.T) {
	directives := func(path string) []string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := regexp.MustCompile(`(?m)^(#.*|bind .*|)\n`).ReplaceAllString(string(text), "")
		return strings.Fields(lines)
	}
	if got, want := directives("components/redis/redis.conf"), directives("../../docker/redis.conf"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
