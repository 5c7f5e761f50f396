// Package manifesttest checks objects for Kubernetes: strictly by the types of its API, and pods by what edgelens needs and
// the standard "restricted" permits.
package manifesttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Decode decodes an object by the types of Kubernetes' API, and fails the test where it has a member that there is not, twice, or
// of another type.
func Decode(t testing.TB, object any) runtime.Object {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	strict := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, serializer.SerializerOptions{Strict: true})
	decoded, _, err := strict.Decode(data, nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return decoded
}

// CheckPod fails the test where a pod needs more rights than "restricted" permits
// (https://kubernetes.io/docs/concepts/security/pod-security-standards/), could write to its root, would be given variables of
// services, or names a port or a volume that it lacks.
func CheckPod(t testing.TB, pod corev1.PodSpec) {
	t.Helper()
	if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
		t.Error("enableServiceLinks is not false: edgelens refuses variables such as EDGELENS_PORT")
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("automountServiceAccountToken is not false: no pod calls the API server")
	}
	security := pod.SecurityContext
	if security == nil || security.RunAsNonRoot == nil || !*security.RunAsNonRoot || security.RunAsUser == nil || *security.RunAsUser != 10001 {
		t.Error("the pod does not run as the user of the image, 10001")
	} else if security.SeccompProfile == nil || security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("the pod has not the seccomp profile RuntimeDefault")
	}
	var volumes []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		checkContainer(t, c, volumes)
	}
}

func checkContainer(t testing.TB, c corev1.Container, volumes []string) {
	t.Helper()
	fail := func(format string, args ...any) { t.Errorf("container "+c.Name+": "+format, args...) }
	security := c.SecurityContext
	switch {
	case security == nil, security.AllowPrivilegeEscalation == nil, *security.AllowPrivilegeEscalation:
		fail("allowPrivilegeEscalation is not false")
	case security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem:
		fail("readOnlyRootFilesystem is not true")
	case security.Capabilities == nil || !slices.Contains(security.Capabilities.Drop, "ALL"):
		fail("it keeps capabilities")
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceCPU} {
		request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
		if request.IsZero() || limit.IsZero() || request.Cmp(limit) > 0 {
			fail("requests %s of %s with a limit of %s", request.String(), name, limit.String())
		}
	}
	for _, mount := range c.VolumeMounts {
		// Those of a StatefulSet's claims are not in the list.
		if mount.Name != "data" && !slices.Contains(volumes, mount.Name) {
			fail("there is no volume %s", mount.Name)
		}
	}
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if probe != nil && probe.HTTPGet != nil && !HasPort(c, probe.HTTPGet.Port) {
			fail("a probe's port %s is not one of its ports", probe.HTTPGet.Port.String())
		}
	}
	if c.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		fail("the reason of an end would be in its log alone")
	}
}

// HasPort reports whether a container has a port, by name or number.
func HasPort(c corev1.Container, port intstr.IntOrString) bool {
	return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
		return port.Type == intstr.String && p.Name == port.StrVal || port.Type == intstr.Int && p.ContainerPort == port.IntVal
	})
}

// Environment returns the variables with values of a container, as os.Environ does; from has the ConfigMaps by name.
func Environment(t testing.TB, c corev1.Container, from map[string]map[string]string) []string {
	t.Helper()
	values := map[string]string{}
	for _, source := range c.EnvFrom {
		if source.ConfigMapRef == nil || from[source.ConfigMapRef.Name] == nil {
			t.Errorf("container %s: there is no ConfigMap for %+v", c.Name, source)
			continue
		}
		for name, value := range from[source.ConfigMapRef.Name] {
			values[name] = value
		}
	}
	for _, variable := range c.Env {
		if variable.ValueFrom == nil {
			values[variable.Name] = variable.Value
		}
	}
	var all []string
	for name, value := range values {
		all = append(all, fmt.Sprintf("%s=%s", name, value))
	}
	slices.Sort(all)
	return all
}
