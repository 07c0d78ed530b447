using System.Globalization;
using Decant.Agent.Configuration;
using Decant.Agent.Instances;
using Decant.Agent.Releases;
using Decant.Names;

namespace Decant.Agent.Elixir;

/// <summary>
/// The whole environment of everything that runs for a slot; nothing of the agent's own environment leaks into it. Later ones win:
/// plain defaults (PATH, HOME, LANG, TMPDIR), the manifest's variables, the host's env file, the agent's own variables. Only
/// RELEASE_COOKIE is taken from the env file where it has one.
/// </summary>
internal sealed class SlotEnvironment(AgentConfiguration configuration, AppDirectories directories, Cookies cookies)
{
    /// <summary>The one variable of the agent's own that an env file may set.</summary>
    public const string Cookie = "RELEASE_COOKIE";

    /// <summary>What the agent sets itself, so that a manifest cannot.</summary>
    public static bool IsReserved(string name)
        => name is "PORT" || name.StartsWith("RELEASE_", StringComparison.Ordinal) || name.StartsWith("DECANT_", StringComparison.Ordinal);

    /// <summary>What the agent sets for Erlang itself, where a unit puts agent's and host's variables together.</summary>
    public static bool IsOfTheAgent(string name)
        => name is "ERL_AFLAGS" or "ERL_CRASH_DUMP" or "ERL_CRASH_DUMP_SECONDS" or "ERL_EPMD_PORT" or "ERL_EPMD_ADDRESS";

    /// <summary>The environment of a release in a slot.</summary>
    /// <param name="key">App and slot.</param>
    /// <param name="spec">How it runs there.</param>
    /// <param name="release">What runs.</param>
    /// <param name="deployment">What causes it; null when nothing does.</param>
    /// <exception cref="Errors.OperatorException">The host's env file cannot be used; names the file, never a value.</exception>
    public IReadOnlyDictionary<string, string> Of(InstanceKey key, SlotSpec spec, StagedRelease release, DeploymentId? deployment)
    {
        var home = directories.Home(key);
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["HOME"] = home,
            ["LANG"] = "C.UTF-8",
            ["TMPDIR"] = directories.Tmp(key),
        };
        foreach (var (name, value) in spec.Environment) environment[name] = value;
        // Under systemd the agent never sees an app's secrets: its unit reads them (AppSecrets).
        var secrets = configuration.Supervisor != SupervisorKind.Systemd && configuration.EnvFileOf(key.App) is { } file
            ? EnvFile.Read(file)
            : new Dictionary<string, string>();
        foreach (var (name, value) in secrets) environment[name] = value;

        environment["PORT"] = spec.Port.ToString(CultureInfo.InvariantCulture);
        environment["RELEASE_NODE"] = spec.Node.ToString();
        // With a long name and the default (sname) the VM, and every rpc, stop and pid, fail: "Can't set short node name".
        environment["RELEASE_DISTRIBUTION"] = spec.Distribution ? spec.Node.Distribution : "none";
        environment[Cookie] = secrets.TryGetValue(Cookie, out var cookie) ? cookie : cookies.Of(key.App);
        environment["RELEASE_TMP"] = directories.Tmp(key);
        // Otherwise a VM that dies leaves erl_crash.dump in its working directory (erl(1), ERL_CRASH_DUMP).
        environment["ERL_CRASH_DUMP"] = Path.Combine(directories.Crash(key), "erl_crash.dump");
        environment["ERL_CRASH_DUMP_SECONDS"] = "30";
        environment["ERL_EPMD_PORT"] = configuration.EpmdPort.ToString(CultureInfo.InvariantCulture);
        environment["ERL_EPMD_ADDRESS"] = "127.0.0.1";
        if (spec.Distribution && IsLoopback(spec.Node.Host))
        {
            // Otherwise the distribution port is open on every address (kernel(6), inet_dist_use_interface).
            var more = environment.TryGetValue("ERL_AFLAGS", out var flags) ? $"{flags} " : "";
            environment["ERL_AFLAGS"] = $"{more}-kernel inet_dist_use_interface {{127,0,0,1}}";
        }

        environment["DECANT_APP"] = key.App.Value;
        environment["DECANT_SLOT"] = key.Slot.Value;
        environment["DECANT_HOST"] = configuration.Host;
        environment["DECANT_RELEASE"] = release.Id.ToString();
        if (deployment is not null) environment["DECANT_DEPLOYMENT"] = deployment.Value;
        return environment;
    }

    private static bool IsLoopback(string host) => host is "localhost" || host.StartsWith("127.", StringComparison.Ordinal);
}
