using Decant.Agent.Elixir;
using Decant.Agent.Supervision;
using Decant.Errors;

namespace Decant.Agent.Configuration;

/// <summary>What an operator should know of this host's configuration although it is valid, as it is on disk now.</summary>
internal static class HostWarnings
{
    private const UnixFileMode NotOwnersToWrite = UnixFileMode.OtherWrite | UnixFileMode.GroupWrite;

    /// <summary>Looks at the files.</summary>
    public static IReadOnlyList<string> Of(AgentConfiguration configuration)
    {
        var warnings = new List<string>();
        if (File.Exists(configuration.File) && (File.GetUnixFileMode(configuration.File) & NotOwnersToWrite) != 0)
            warnings.Add($"others than its owner may write {configuration.File}, and with it decide what runs on this host: chmod go-w {configuration.File}");
        warnings.AddRange(configuration.Balancers.Values.OfType<BalancerSettings.Command>().Select(c => WhyUnsafe(c.Program)).OfType<string>());
        warnings.AddRange(EnvFiles(configuration).Select(WhyUnusable).OfType<string>());
        return warnings;
    }

    private static IEnumerable<string> EnvFiles(AgentConfiguration configuration)
    {
        // Under systemd they are for the app's units alone, which refuse to start with one that is wrong; an agent that is not root may not look.
        if (SupervisorChoice.Of(configuration).Supervisor == SupervisorKind.Systemd && !Environment.IsPrivilegedProcess) return [];
        var named = configuration.Apps.Values.Select(a => a.EnvFile).OfType<string>();
        var usual = Directory.Exists(configuration.AppsDirectory) ? Directory.EnumerateFiles(configuration.AppsDirectory, "*.env") : [];
        return named.Concat(usual).Distinct().Order(StringComparer.Ordinal);
    }

    private static string? WhyUnsafe(string program)
        => !File.Exists(program) ? $"{program}, which drives a balancer, is not there"
            : (File.GetUnixFileMode(program) & NotOwnersToWrite) != 0
                ? $"others than its owner may write {program}, and with it decide what runs on this host: chmod go-w {program}"
                : null;

    private static string? WhyUnusable(string path)
    {
        try
        {
            EnvFile.Read(path);
            return null;
        }
        catch (OperatorException exception)
        {
            return $"{exception.Error.Message}; {exception.Error.WhatNext}";
        }
    }
}
