//! Ids of the capabilities that a daemon may have. Sources: BuildKit's `solver/pb/caps.go` and
//! `frontend/gateway/pb/caps.go`.
//!
//! Two ids that exist in BuildKit's source are left out on purpose, because no daemon ever lists them and naming one
//! fails the build: `exec.meta.removemountstubs.recursive` and `file.copy.modestring`.

/// Declares string constants, each documented by its id.
macro_rules! ids {
    ($($name:ident = $id:literal;)*) => {
        $(#[doc = concat!("`", $id, "`")] pub const $name: &str = $id;)*
    };
}

/// What LLB the daemon can solve.
pub mod llb {
    ids! {
        SOURCE_IMAGE = "source.image";
        SOURCE_IMAGE_RESOLVE_MODE = "source.image.resolvemode";
        SOURCE_OCI_LAYOUT = "source.ocilayout";
        SOURCE_LOCAL = "source.local";
        SOURCE_LOCAL_SESSION_ID = "source.local.sessionid";
        SOURCE_LOCAL_INCLUDE_PATTERNS = "source.local.includepatterns";
        SOURCE_LOCAL_FOLLOW_PATHS = "source.local.followpaths";
        SOURCE_LOCAL_EXCLUDE_PATTERNS = "source.local.excludepatterns";
        SOURCE_LOCAL_SHARED_KEY_HINT = "source.local.sharedkeyhint";
        SOURCE_LOCAL_DIFFER = "source.local.differ";
        SOURCE_GIT = "source.git";
        SOURCE_GIT_FULL_URL = "source.git.fullurl";
        SOURCE_GIT_KEEP_DIR = "source.git.keepgitdir";
        SOURCE_GIT_CHECKSUM = "source.git.checksum";
        SOURCE_GIT_MOUNT_SSH_SOCK = "source.git.mountsshsock";
        SOURCE_HTTP = "source.http";
        SOURCE_HTTP_CHECKSUM = "source.http.checksum";
        SOURCE_HTTP_PERM = "source.http.perm";
        EXEC_META_BASE = "exec.meta.base";
        EXEC_META_NETWORK = "exec.meta.network";
        EXEC_META_SECURITY = "exec.meta.security";
        EXEC_META_ULIMIT = "exec.meta.ulimit";
        EXEC_META_PROXY = "exec.meta.proxyenv";
        EXEC_META_CGROUP_PARENT = "exec.meta.cgroup.parent";
        EXEC_META_CDI = "exec.meta.cdi";
        EXEC_META_LINUX_RESOURCES = "exec.meta.linux.resources";
        EXEC_META_SETS_DEFAULT_PATH = "exec.meta.setsdefaultpath";
        EXEC_MOUNT_BIND = "exec.mount.bind";
        EXEC_MOUNT_BIND_READ_WRITE_NO_OUTPUT = "exec.mount.bind.readwrite-nooutput";
        EXEC_MOUNT_CACHE = "exec.mount.cache";
        EXEC_MOUNT_CACHE_SHARING = "exec.mount.cache.sharing";
        EXEC_MOUNT_SELECTOR = "exec.mount.selector";
        EXEC_MOUNT_TMPFS = "exec.mount.tmpfs";
        EXEC_MOUNT_TMPFS_SIZE = "exec.mount.tmpfs.size";
        EXEC_MOUNT_SECRET = "exec.mount.secret";
        EXEC_MOUNT_SSH = "exec.mount.ssh";
        EXEC_SECRET_ENV = "exec.secretenv";
        BUILD_LLB_FILE_NAME = "source.buildop.llbfilename";
        FILE_BASE = "file.base";
        FILE_RM_WILDCARD = "file.rm.wildcard";
        FILE_COPY_INCLUDE_EXCLUDE = "file.copy.includeexcludepatterns";
        FILE_SYMLINK_CREATE = "file.symlink.create";
        CONSTRAINTS = "constraints";
        PLATFORM = "platform";
        META_IGNORE_CACHE = "meta.ignorecache";
        META_DESCRIPTION = "meta.description";
        MERGE_OP = "mergeop";
        DIFF_OP = "diffop";
    }
}

/// What the daemon's gateway can do.
pub mod gateway {
    ids! {
        SOLVE_BASE = "solve.base";
        RESOLVE_IMAGE = "resolveimage";
        READ_FILE = "readfile";
        READ_DIR = "readdir";
        STAT_FILE = "statfile";
        FRONTEND_INPUTS = "frontend.inputs";
        WARNINGS = "gateway.warnings";
        EVALUATE = "gateway.evaluate";
        SOURCE_META_RESOLVER = "source.metaresolver";
    }
}
