using System.Runtime.InteropServices;

namespace Decant.Agent.Hosting;

/// <summary>What this machine is.</summary>
internal static class HostFacts
{
    /// <summary>As <c>uname -m</c> says it.</summary>
    public static string Architecture => RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "x86_64",
        System.Runtime.InteropServices.Architecture.Arm64 => "aarch64",
        var other => other.ToString().ToLowerInvariant(),
    };

    /// <summary>PRETTY_NAME of os-release(5); "Linux" where there is none.</summary>
    public static string OperatingSystem()
    {
        foreach (var file in (string[])["/etc/os-release", "/usr/lib/os-release"])
        {
            if (File.Exists(file)) return PrettyName(File.ReadLines(file)) ?? "Linux";
        }

        return "Linux";
    }

    /// <summary>Finds it among the lines.</summary>
    public static string? PrettyName(IEnumerable<string> lines)
    {
        const string Key = "PRETTY_NAME=";
        return lines.FirstOrDefault(l => l.StartsWith(Key, StringComparison.Ordinal))?[Key.Length..].Trim().Trim('"', '\'');
    }
}
