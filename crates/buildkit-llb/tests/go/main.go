// Prints the ids of all capabilities that daemons know, then the graphs of `tests/go.rs` as BuildKit's own client
// marshals them: JSON, one line for each graph.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net"
	"os"
	"slices"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/llbbuild"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/proto"
)

// What one graph looks like on the wire.
type vector struct {
	Name string `json:"name"`
	// The ops, each as the base64 of its bytes; those that others need come first.
	Def [][]byte `json:"def"`
	// The capabilities that each op needs, by the op's digest.
	Caps map[string][]string `json:"caps"`
	// Everything else that is known about each op, as the base64 of the message's bytes.
	Metadata map[string][]byte `json:"metadata"`
	// Where the ops come from, likewise.
	Source []byte `json:"source"`
}

const sum = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

var amd64 = llb.Platform(ocispecs.Platform{OS: "linux", Architecture: "amd64"})

func image(name string) llb.State {
	return llb.Image("docker.io/library/"+name, amd64)
}

// A state without the environment that the client library adds by itself.
func plain(opts ...llb.RunOption) []llb.RunOption {
	return append([]llb.RunOption{llb.Args([]string{"/bin/true", "a b", "$c"}), amd64}, opts...)
}

func execs() llb.State {
	run := image("busybox:latest").AddEnv("A", "b=c").AddEnv("PATH", "/bin").Run(plain(
		llb.AddMount("/in", image("alpine:3"), llb.Readonly, llb.SourcePath("/etc")),
		llb.AddMount("/cache", llb.Scratch(), llb.AsPersistentCacheDir("id", llb.CacheMountLocked)),
		llb.AddMount("/private", llb.Scratch(), llb.AsPersistentCacheDir("id2", llb.CacheMountPrivate)),
		llb.AddMount("/tmp", llb.Scratch(), llb.Tmpfs()),
		llb.AddMount("/sized", llb.Scratch(), llb.Tmpfs(llb.TmpfsSize(1<<20))),
		llb.AddMount("/work", llb.Scratch(), llb.ForceNoOutput),
		llb.AddSecret("/run/secrets/token", llb.SecretID("token"), llb.SecretOptional),
		llb.AddSSHSocket(llb.SSHID("default"), llb.SSHSocketTarget("/ssh")),
		llb.AddExtraHost("host.example", net.ParseIP("10.0.0.1")),
		llb.AddUlimit("nofile", 1024, 2048),
		llb.Network(pb.NetMode_NONE),
		llb.Dir("/work"), llb.User("node"), llb.Hostname("builder"),
	)...)
	return run.AddMount("/out", llb.Scratch())
}

func privileged() llb.State {
	return image("busybox:latest").Run(plain(
		llb.Network(pb.NetMode_HOST), llb.Security(pb.SecurityMode_INSECURE),
		llb.AddCDIDevice(llb.CDIDeviceName("nvidia.com/gpu=all")),
		llb.AddCDIDevice(llb.CDIDeviceName("vendor.com/device"), llb.CDIDeviceOptional),
		llb.AddSecret("TOKEN", llb.SecretID("token"), llb.SecretAsEnv(true)),
	)...).Root()
}

func limited() llb.State {
	return image("busybox:latest").Run(plain(llb.WithCustomName("small"), llb.WithLinuxResources(llb.LinuxResources{
		Memory: 1 << 30, MemorySwap: -1, CPUShares: 512, CPUPeriod: 100_000, CPUQuota: 150_000, CpusetCpus: "0-1", CpusetMems: "0",
	}))...).Root()
}

func files() llb.State {
	zero := llb.WithCreatedTime(time.Unix(0, 0))
	return image("busybox:latest").File(
		llb.Mkdir("/opt/a", 0o755, llb.WithParents(true), zero).
			Mkfile("/opt/a/b", 0o644, []byte("text\n"), zero).
			Rm("/etc/motd", llb.WithAllowNotFound(true)).
			Symlink("b", "/opt/a/c").
			Copy(image("alpine:3"), "/etc/*.conf", "/opt/a/", &llb.CopyInfo{
				AllowWildcard: true, AllowEmptyWildcard: true, CreateDestPath: true,
				IncludePatterns: []string{"*.conf"}, ExcludePatterns: []string{"resolv.conf"},
				ChownOpt: &llb.ChownOpt{User: &llb.UserOpt{UID: 1000}, Group: &llb.UserOpt{UID: 1000}},
			}).
			Copy(image("busybox:latest"), "/bin/busybox", "/b"))
}

func unpacked() llb.State {
	archive := llb.HTTP("https://example.org/a.tar.gz", llb.Filename("a.tar.gz"), llb.Checksum(digest.Digest(sum)))
	return llb.Scratch().File(llb.Copy(archive, "/a.tar.gz", "/", &llb.CopyInfo{
		AttemptUnpack: true, CreateDestPath: true, CopyDirContentsOnly: true, FollowSymlinks: true,
		Mode: &llb.ChmodOpt{Mode: 0o700},
	}))
}

func diamond() llb.State {
	source := llb.NewSourceMap(nil, "node.yaml", "YAML", []byte("base: debian:13\n"))
	at := source.Location([]*pb.Range{{Start: &pb.Position{Line: 1, Character: 1}, End: &pb.Position{Line: 1, Character: 5}}})
	base := image("debian:13")
	left := base.Run(plain(llb.WithCustomName("left"), at)...).AddMount("/out", llb.Scratch())
	right := base.Run(plain(llb.WithCustomName("right"), llb.IgnoreCache, llb.ProgressGroup("g", "group", true),
		llb.Dir("/right"))...).AddMount("/out", llb.Scratch())
	return llb.Merge([]llb.State{base, left, right}, llb.WithCustomName("merged"))
}

func main() {
	paths := []string{"node.yaml", "node.yaml.dockerignore"}
	graphs := []struct {
		name  string
		state llb.State
	}{
		{"image", image("busybox:latest")},
		{"image for another platform", llb.Image("docker.io/library/debian:13", llb.LinuxArm64, llb.ResolveModeForcePull)},
		{"http", llb.HTTP("https://example.org/a.tar.gz", llb.Filename("a.tar.gz"), llb.Chmod(0o755), llb.Checksum(digest.Digest(sum)))},
		{"local", llb.Local("context", llb.SessionID("s1"), llb.SharedKeyHint("context"),
			llb.FollowPaths(paths), llb.ExcludePatterns([]string{"*.log", "a<b>&c"}), llb.IncludePatterns([]string{"src"}))},
		{"local without metadata", llb.Local("dockerfile", llb.SessionID("s1"), llb.FollowPaths(paths), llb.SharedKeyHint("dockerfile"),
			llb.Differ(llb.DiffNone, false))},
		{"git", llb.Git("https://example.org/a/b.git", "main:nodes", llb.KeepGitDir())},
		{"oci layout", llb.OCILayout("store@"+sum, llb.OCIStore("s1", "store"), amd64)},
		{"exec with every mount", execs()},
		{"privileged exec", privileged()},
		{"limited exec", limited()},
		{"file actions", files()},
		{"unpacked download", unpacked()},
		{"diff", llb.Diff(image("debian:13"), image("debian:12"))},
		{"build", image("busybox:latest").With(llbbuild.Build(llbbuild.WithFilename("/graph")))},
		{"diamond with metadata", diamond()},
	}
	// The client leaves a `PATH` to daemons that can set it, as every supported one does.
	caps := pb.Caps.CapSet(pb.Caps.All())
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(known()); err != nil {
		log.Fatal(err)
	}
	for _, graph := range graphs {
		def, err := graph.state.Marshal(context.Background(), llb.WithCaps(caps))
		if err != nil {
			log.Fatalf("%s: %v", graph.name, err)
		}
		if err := out.Encode(encode(graph.name, def)); err != nil {
			log.Fatal(err)
		}
	}
}

func encode(name string, def *llb.Definition) vector {
	v := vector{Name: name, Def: def.Def, Caps: map[string][]string{}, Metadata: map[string][]byte{}}
	for id, md := range def.ToPB().Metadata {
		v.Caps[id] = []string{}
		for cap := range md.Caps {
			v.Caps[id] = append(v.Caps[id], cap)
		}
		slices.Sort(v.Caps[id])
		md.Caps = nil
		v.Metadata[id] = bytes(md)
	}
	for id, places := range def.Source.Locations {
		if len(places.Locations) == 0 {
			delete(def.Source.Locations, id)
		}
	}
	v.Source = bytes(def.Source)
	return v
}

func known() []string {
	ids := []string{}
	for _, cap := range pb.Caps.All() {
		ids = append(ids, cap.ID)
	}
	slices.Sort(ids)
	return ids
}

func bytes(message proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		log.Fatal(err)
	}
	return data
}
