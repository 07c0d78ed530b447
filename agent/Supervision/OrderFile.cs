using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Decant.Agent.State;

namespace Decant.Agent.Supervision;

/// <summary>The order of a slot's unit: written by the agent, read by the unit's process with no more rights than the app's own.</summary>
internal static partial class OrderFile
{
    /// <summary>The group of what apps run as.</summary>
    private const string Group = "decant-app";

    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Where it is.</summary>
    /// <param name="dataDirectory">Of the agent.</param>
    /// <param name="instance">Of the slot.</param>
    public static string PathOf(string dataDirectory, string instance) => Path.Combine(dataDirectory, "units", $"{instance}.json");

    /// <summary>Writes it as a whole, for the agent and for the apps' group.</summary>
    /// <exception cref="IOException">It cannot be written, or not be given to the group.</exception>
    public static void Write(string path, UnitOrder order)
    {
        var directory = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, DirectoryMode);
        }

        var draft = $"{path}.new";
        File.Delete(draft);
        using (var file = PrivateFile.Open(draft))
        {
            file.Write(JsonSerializer.SerializeToUtf8Bytes(order, UnitJson.Default.UnitOrder));
            if (Chown(draft, uint.MaxValue, GroupId()) != 0)
                throw new IOException($"{draft} could not be given to the group {Group}: {Marshal.GetLastPInvokeErrorMessage()}");
            File.SetUnixFileMode(file.SafeFileHandle, FileMode);
        }

        File.Move(draft, path, overwrite: true);
    }

    /// <summary>Reads it; null when it is not there, or none.</summary>
    public static UnitOrder? TryRead(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), UnitJson.Default.UnitOrder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>group(5): the package makes the group on the host itself.</summary>
    private static uint GroupId() => File.ReadLines("/etc/group").Select(line => line.Split(':')).FirstOrDefault(parts => parts[0] == Group) is [_, _, var number, ..]
        ? uint.Parse(number, CultureInfo.InvariantCulture)
        : throw new IOException($"the group {Group} is not there; systemd-sysusers makes it");

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Chown(string path, uint owner, uint group);
}
