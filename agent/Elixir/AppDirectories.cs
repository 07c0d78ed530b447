using Decant.Agent.Instances;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Elixir;

/// <summary>
/// Where an app's instances live below the agent's data directory: <c>apps/app/slot/</c> with its tmp, logs and crash dumps. Made on demand,
/// for the agent's user only: environments and cookies are secrets. Where instances run as another user, what is theirs is elsewhere, and made by
/// whoever starts them.
/// </summary>
/// <param name="data">The agent's data directory, absolute.</param>
/// <param name="homes">Holds what is the instances' own; null: the agent's directories do.</param>
internal sealed class AppDirectories(string data, string? homes = null)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Directory of an app.</summary>
    public string Of(AppName app) => Made(Path.Combine(data, "apps", app.Value));

    /// <summary>The agent's own directory of a slot.</summary>
    public string Of(InstanceKey key) => Made(Path.Combine(Of(key.App), key.Slot.Value));

    /// <summary>RELEASE_TMP and TMPDIR of a slot.</summary>
    public string Tmp(InstanceKey key) => OfInstance(key, "tmp");

    /// <summary>Logs of a slot.</summary>
    public string Log(InstanceKey key) => Made(Path.Combine(Of(key), "log"));

    /// <summary>Crash dumps of a slot.</summary>
    public string Crash(InstanceKey key) => OfInstance(key, "crash");

    /// <summary>The working directory and HOME of everything that runs for a slot.</summary>
    public string Home(InstanceKey key) => homes is null ? Of(key) : Path.Combine(homes, UnitNames.Instance(key));

    private string OfInstance(InstanceKey key, string name)
    {
        var path = Path.Combine(Home(key), name);
        return homes is null ? Made(path) : path;
    }

    private static string Made(string path)
    {
        if (!Directory.Exists(path)) Directory.CreateDirectory(path, Private);
        return path;
    }
}
