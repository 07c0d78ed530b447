using Decant.Agent.Configuration;

namespace Decant.Agent.Supervision;

/// <summary>Which supervisor a host has: what agent.yml says, and what is there.</summary>
internal static class SupervisorChoice
{
    /// <summary>What the packaged units know: they read what the agent writes below it.</summary>
    public const string PackagedDirectory = "/var/lib/decant";

    private const string Homes = "/var/lib/decant-app";

    // sd_booted(3).
    private const string Booted = "/run/systemd/system";
    private static readonly IReadOnlyList<string> UnitDirectories = ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

    /// <summary>The configuration with the supervisor that it comes to.</summary>
    public static AgentConfiguration Of(AgentConfiguration configuration) => configuration.Supervisor != SupervisorKind.Auto
        ? configuration
        : configuration with { Supervisor = WhyNoUnits(configuration) is null ? SupervisorKind.Systemd : SupervisorKind.Process };

    /// <summary>Why systemd, which agent.yml asks for, cannot be had; null when it can, or is not asked for.</summary>
    public static string? WhyNot(AgentConfiguration configuration)
        => configuration.Supervisor == SupervisorKind.Systemd && WhyNoUnits(configuration) is { } reason
            ? $"{configuration.File} has supervisor: systemd, but {reason}; with supervisor: process releases run as detached processes"
            : null;

    /// <summary>Holds the directories of what runs in slots, where that is not the agent's user.</summary>
    public static string? HomesOf(AgentConfiguration configuration) => configuration.Supervisor == SupervisorKind.Systemd ? Homes : null;

    private static string? WhyNoUnits(AgentConfiguration configuration)
    {
        if (!Directory.Exists(Booted)) return $"systemd does not run this host ({Booted} is not there)";
        if (configuration.DataDirectory != PackagedDirectory)
            return $"data_dir is {configuration.DataDirectory}, and the packaged units read what is in {PackagedDirectory}";
        return UnitDirectories.Any(directory => File.Exists(Path.Combine(directory, "decant-app@.service")))
            ? null
            : $"decant-app@.service is in none of {string.Join(", ", UnitDirectories)}";
    }
}
