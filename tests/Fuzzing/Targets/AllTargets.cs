using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>Everything that is fuzzed: whoever makes another reader of foreign bytes adds it here.</summary>
internal static class AllTargets
{
    public static IEnumerable<FuzzTarget> Make() =>
    [
        new TarReading(),
        new PaxHeader(),
        new GzipEnvelope(),
        new Unpacking(),
        new Inspection(),
        new Metadata(),
        new ControllersArchive(),
        new ManifestText(),
        new AgentYaml(),
        new HaproxyReply(),
        new NginxFile(),
        new CaddyConfiguration(),
        new CommandReply(),
        new AgentCheck(),
        new ProxyState(),
        new ProxyMessages(),
        new Websocket(),
        new EnvironmentFile(),
        new InstanceOutput(),
        new DatabaseFiles(),
        new Requests(),
        new AgentError(),
        new AgentStatus(),
        new AgentRecords(),
    ];
}
