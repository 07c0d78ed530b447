using System.Net;
using Decant.Names;

namespace Decant.Agent.Configuration;

/// <summary>
/// What agent.yml says, valid, with the defaults of everything that it leaves out: this record is the one place that has them.
/// Read by <see cref="AgentConfigurationReader"/>.
/// </summary>
internal sealed record AgentConfiguration
{
    /// <summary>Where the configuration is unless <c>--config</c> says otherwise.</summary>
    public const string DefaultFile = "/etc/decant/agent.yml";

    /// <summary>This host's name in operations and errors.</summary>
    public string Host { get; init; } = Environment.MachineName;

    /// <summary>Releases, uploads, slots and the journal. Absolute.</summary>
    public string DataDirectory { get; init; } = "/var/lib/decant";

    /// <summary>Where callers reach the agent.</summary>
    public ListenSettings Listen { get; init; } = new();

    /// <summary>Who may do what.</summary>
    public AccessSettings Access { get; init; } = new();

    /// <summary>Host settings of apps; apps that are not named here have the defaults.</summary>
    public IReadOnlyDictionary<AppName, AppSettings> Apps { get; init; } = new Dictionary<AppName, AppSettings>();

    /// <summary>Balancers of this host.</summary>
    public IReadOnlyDictionary<BalancerName, BalancerSettings> Balancers { get; init; } = new Dictionary<BalancerName, BalancerSettings>();

    /// <summary>Where HAProxies ask how slots are, by its agent-check protocol; null: nowhere.</summary>
    public AgentCheckSettings? AgentCheck { get; init; }

    /// <summary>The embedded proxy of this host; null: none.</summary>
    public ProxySettings? Proxy { get; init; }

    /// <summary>What runs the releases.</summary>
    public SupervisorKind Supervisor { get; init; } = SupervisorKind.Auto;

    /// <summary>How much of this host releases and logs may take.</summary>
    public HostLimits Limits { get; init; } = new();

    /// <summary>How soon an instance that died is started again.</summary>
    public RestartSettings Restart { get; init; } = new();

    /// <summary>Port of epmd (ERL_EPMD_PORT).</summary>
    public int EpmdPort { get; init; } = 4369;

    /// <summary>The journal of operations.</summary>
    public JournalSettings Journal { get; init; } = new();

    /// <summary>The agent's own log.</summary>
    public LoggingSettings Logging { get; init; } = new();

    /// <summary>Where this was read from. Absolute.</summary>
    public string File { get; init; } = DefaultFile;

    /// <summary>Holds <c>app.env</c> for each app that has one: <c>apps</c> beside agent.yml.</summary>
    public string AppsDirectory => Path.Combine(Path.GetDirectoryName(File) ?? "", "apps");

    /// <summary>The root-only environment of an app on this host; null when it has none.</summary>
    /// <returns>The file that agent.yml names, there or not, or else the default file when it exists.</returns>
    public string? EnvFileOf(AppName app)
    {
        if (Apps.TryGetValue(app, out var settings) && settings.EnvFile is { } named) return named;
        var usual = Path.Combine(AppsDirectory, $"{app}.env");
        return System.IO.File.Exists(usual) ? usual : null;
    }
}

/// <summary>Where callers reach the agent; at least one of the two is set.</summary>
internal sealed record ListenSettings
{
    /// <summary>Absolute path of the unix socket; null: none.</summary>
    public string? Unix { get; init; } = "/run/decant/decantd.sock";

    /// <summary>An address; without TLS on loopback. Null: none.</summary>
    public IPEndPoint? Tcp { get; init; } = new(IPAddress.Any, DefaultPort);

    /// <summary>Where the certificates for <see cref="Tcp"/> are; null: it speaks no TLS, and is on loopback.</summary>
    public TlsSettings? Tls { get; init; } = new(Path.Combine(Path.GetDirectoryName(AgentConfiguration.DefaultFile)!, TlsSettings.DirectoryName));

    /// <summary>Where controllers expect an agent.</summary>
    public const int DefaultPort = 7420;
}

/// <summary>The files of mutual TLS. All paths are absolute; PEM.</summary>
/// <param name="Directory">Where they are unless one is named; also where the agent puts what it gets when it is enrolled.</param>
internal sealed record TlsSettings(string Directory)
{
    /// <summary>Beside agent.yml.</summary>
    public const string DirectoryName = "tls";

    /// <summary>The CAs whose certificates callers may have.</summary>
    public string Ca { get; init; } = Path.Combine(Directory, "ca.pem");

    /// <summary>This host's certificate, and intermediates behind it.</summary>
    public string Certificate { get; init; } = Path.Combine(Directory, "host.pem");

    /// <summary>Its key.</summary>
    public string Key { get; init; } = Path.Combine(Directory, "host.key");

    /// <summary>Revocation lists of the CAs, where there are any.</summary>
    public string Revoked { get; init; } = Path.Combine(Directory, "revoked.pem");
}

/// <summary>Who may do what on this host, beside the roles that certificates have.</summary>
internal sealed record AccessSettings
{
    /// <summary>Roles of certificates, by one of their names.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<RoleName>> Certificates { get; init; } = new Dictionary<string, IReadOnlyList<RoleName>>();

    /// <summary>Roles of users who call over the unix socket, by name or number. A user's own count, not those of its groups.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<RoleName>> Users { get; init; } = new Dictionary<string, IReadOnlyList<RoleName>>();

    /// <summary>Roles of groups, by name or number; null: the socket's group is admin.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<RoleName>>? Groups { get; init; }

    /// <summary>Backends that an app's deployers may change, beside the one that has the app's name.</summary>
    public IReadOnlyDictionary<AppName, IReadOnlyList<MemberName>> Backends { get; init; } = new Dictionary<AppName, IReadOnlyList<MemberName>>();
}

/// <summary>An app on this host.</summary>
/// <param name="EnvFile">Absolute path of its root-only environment; null: the default file when it exists.</param>
internal sealed record AppSettings(string? EnvFile);

/// <summary>A balancer of this host: one case for each kind that the agent can drive.</summary>
internal abstract record BalancerSettings
{
    private BalancerSettings()
    {
    }

    /// <summary>HAProxy.</summary>
    /// <param name="Socket">Absolute path of its stats socket.</param>
    /// <param name="Members">Who decides which members a backend has.</param>
    /// <param name="MemberOptions">Options of a server that the agent makes: HAProxy's own words (configuration manual, 5.2).</param>
    public sealed record Haproxy(string Socket, MemberManagement Members, string MemberOptions) : BalancerSettings
    {
        /// <summary>A base weight of 100 lets a share be told in hundredths.</summary>
        public const string DefaultMemberOptions = "check inter 1s rise 1 fall 3 weight 100";
    }

    /// <summary>HAProxies that no agent may touch: they ask, and do as they are told.</summary>
    public sealed record AgentCheck : BalancerSettings;

    /// <summary>A program of this host that drives a balancer.</summary>
    /// <param name="Program">Absolute path.</param>
    /// <param name="Timeout">For one run of it.</param>
    public sealed record Command(string Program, TimeSpan Timeout) : BalancerSettings
    {
        /// <summary>Cloud APIs take their time.</summary>
        public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);
    }

    /// <summary>Open-source nginx. All paths are absolute.</summary>
    /// <param name="Config">Its main configuration file.</param>
    /// <param name="Upstreams">Directory of the upstream files that the agent owns: <c>BACKEND.conf</c>, included by the configuration.</param>
    /// <param name="Program">Its program.</param>
    /// <param name="PidFile">Where its master's process id is.</param>
    public sealed record Nginx(string Config, string Upstreams, string Program, string PidFile) : BalancerSettings
    {
        /// <summary>As Debian has it.</summary>
        public static Nginx Default { get; } = new("/etc/nginx/nginx.conf", "/etc/nginx/decant", "/usr/sbin/nginx", "/run/nginx.pid");
    }

    /// <summary>Caddy.</summary>
    /// <param name="Admin">Address of its admin API.</param>
    /// <param name="Socket">Absolute path of the unix socket on which the API is; null: it is at <paramref name="Admin"/> over TCP.</param>
    public sealed record Caddy(Uri Admin, string? Socket = null) : BalancerSettings
    {
        /// <summary>Caddy's own default.</summary>
        public static Caddy Default { get; } = new(new Uri("http://localhost:2019"));
    }

    /// <summary>The embedded proxy.</summary>
    /// <param name="Socket">Absolute path of its unix socket.</param>
    public sealed record Embedded(string Socket) : BalancerSettings;
}

/// <summary>Where HAProxies ask.</summary>
/// <param name="Listen">Any address: what is said there is not secret, and nothing can be changed there.</param>
/// <param name="From">Addresses that HAProxies ask from: others get no answer, and each of these must have asked before a member counts as out. Empty: anybody.</param>
internal sealed record AgentCheckSettings(IPEndPoint Listen, IReadOnlyList<IPAddress> From);

/// <summary>Who decides which members a backend has.</summary>
internal enum MemberManagement
{
    /// <summary>The balancer's own configuration: the agent changes their state and share only.</summary>
    Fixed,

    /// <summary>The agent: it makes members that are missing, changes addresses, and deletes.</summary>
    Managed,
}

/// <summary>What runs the releases.</summary>
internal enum SupervisorKind
{
    /// <summary>systemd where it runs this host and Decant's units are installed; detached processes elsewhere.</summary>
    Auto,

    /// <summary>A unit for each slot, over D-Bus.</summary>
    Systemd,

    /// <summary>Detached children, taken over by process id and start time.</summary>
    Process,
}

/// <summary>How much of this host releases and logs may take.</summary>
internal sealed record HostLimits
{
    /// <summary>Size of an uploaded archive, in bytes.</summary>
    public long ArchiveBytes { get; init; } = 512L << 20;

    /// <summary>Size of an unpacked release, in bytes.</summary>
    public long UnpackedBytes { get; init; } = 2L << 30;

    /// <summary>Unpacked bytes for each byte of the archive.</summary>
    public int Ratio { get; init; } = 200;

    /// <summary>Files, directories and links in a release.</summary>
    public int Entries { get; init; } = 50_000;

    /// <summary>Free space of the data directory's file system that is left alone, in bytes.</summary>
    public long DiskFloorBytes { get; init; } = 512L << 20;

    /// <summary>Size at which an instance's log is rotated, in bytes.</summary>
    public long LogBytes { get; init; } = 10L << 20;

    /// <summary>Files of an instance's log that are kept, the current one included.</summary>
    public int LogFiles { get; init; } = 5;
}

/// <summary>How soon an instance that died is started again: doubling from the first to the longest wait.</summary>
internal sealed record RestartSettings
{
    /// <summary>First wait.</summary>
    public TimeSpan BackoffMin { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>An instance that ran this long begins again with the first wait.</summary>
    public TimeSpan ResetAfter { get; init; } = TimeSpan.FromSeconds(60);
}

/// <summary>The journal of operations.</summary>
internal sealed record JournalSettings
{
    /// <summary>Ended operations that are kept.</summary>
    public int KeepOperations { get; init; } = 10_000;
}

/// <summary>The agent's own log.</summary>
internal sealed record LoggingSettings
{
    /// <summary>The least level that is written.</summary>
    public LogLevel Level { get; init; } = LogLevel.Information;

    /// <summary>How it is written.</summary>
    public LogFormat Format { get; init; } = LogFormat.Text;
}

/// <summary>How the agent's own log is written.</summary>
internal enum LogFormat
{
    /// <summary>A line for people (and the journal).</summary>
    Text,

    /// <summary>Compact JSON, one object a line.</summary>
    Json,
}
