using Decant.Agent.Instances;
using Decant.Names;

namespace Decant.Agent.Elixir;

/// <summary>
/// Where an app's instances live below the agent's data directory: <c>apps/app/slot/</c> with its tmp, logs and crash dumps. Made on demand,
/// for the agent's user only: environments and cookies are secrets.
/// </summary>
/// <param name="data">The agent's data directory, absolute.</param>
internal sealed class AppDirectories(string data)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Directory of an app.</summary>
    public string Of(AppName app) => Made(Path.Combine(data, "apps", app.Value));

    /// <summary>Directory of a slot: the working directory and HOME of everything that runs for it.</summary>
    public string Of(InstanceKey key) => Made(Path.Combine(data, "apps", key.App.Value, key.Slot.Value));

    /// <summary>RELEASE_TMP and TMPDIR of a slot.</summary>
    public string Tmp(InstanceKey key) => Made(Path.Combine(Of(key), "tmp"));

    /// <summary>Logs of a slot.</summary>
    public string Log(InstanceKey key) => Made(Path.Combine(Of(key), "log"));

    /// <summary>Crash dumps of a slot.</summary>
    public string Crash(InstanceKey key) => Made(Path.Combine(Of(key), "crash"));

    private static string Made(string path)
    {
        if (!Directory.Exists(path)) Directory.CreateDirectory(path, Private);
        return path;
    }
}
