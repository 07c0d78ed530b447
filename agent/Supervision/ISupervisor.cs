using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Names;

namespace Decant.Agent.Supervision;

/// <summary>What keeps a release running apart from the agent. An agent's stop, crash or restart never ends what a supervisor runs.</summary>
internal interface ISupervisor
{
    /// <summary>By its name in agent.yml and in the status: <c>process</c> or <c>systemd</c>.</summary>
    string Name { get; }

    /// <summary>Starts <c>bin/app start</c> in a slot.</summary>
    /// <param name="target">What, and where.</param>
    /// <param name="cancellation">Gives up before it is started.</param>
    /// <exception cref="Errors.OperatorException">START_FAILED.</exception>
    Task<ISupervisedProcess> StartAsync(ReleaseInSlot target, CancellationToken cancellation);

    /// <summary>Finds what runs in a slot and was not started by this agent; null when nothing does.</summary>
    Task<ISupervisedProcess?> AdoptAsync(InstanceKey key);

    /// <summary>How the last process of a slot ended, where that can be learned although no agent watched; null when it cannot.</summary>
    Task<ProcessExit?> LastExitAsync(InstanceKey key);

    /// <summary>Told a slot in which somebody else has started what was stopped.</summary>
    event Action<InstanceKey>? StartedByOthers;

    /// <summary>A slot's output: the last lines, then what comes.</summary>
    IInstanceLog Log(InstanceKey key);

    /// <summary>Runs one command of a release to its end, as the instances of its app run: as their user, with their secrets.</summary>
    /// <exception cref="Errors.OperatorException">COMMAND_FAILED: it could not be started.</exception>
    Task<CommandEnd> RunAsync(CommandOrder order, CancellationToken cancellation);

    /// <summary>Starts the Erlang port mapper as nobody's child.</summary>
    /// <param name="program">Absolute path of <c>epmd</c>.</param>
    /// <param name="port">Where it listens.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>What came of it, for the log.</returns>
    Task<string> StartPortMapperAsync(string program, int port, CancellationToken cancellation);
}

/// <summary>A release process under a supervisor.</summary>
internal interface ISupervisedProcess : IDisposable
{
    /// <summary>The process.</summary>
    ProcessIdentity Identity { get; }

    /// <summary>The release that it runs.</summary>
    ReleaseId Release { get; }

    /// <summary>When it was started.</summary>
    DateTimeOffset StartedAt { get; }

    /// <summary>Completes when it is gone, with what could be learned of its end. Never fails.</summary>
    Task<ProcessExit> Exited { get; }

    /// <summary>Sends a signal to it; nothing happens when it is gone.</summary>
    void Signal(int signal);
}

/// <summary>How a process ended.</summary>
/// <param name="ExitCode">128 + signal when a signal ended it; null when nobody could learn it.</param>
/// <param name="At">When.</param>
/// <param name="Cause">Who ended it.</param>
internal sealed record ProcessExit(int? ExitCode, DateTimeOffset At, ExitCause Cause = ExitCause.ItselfOrAgent);

/// <summary>Who ended a process.</summary>
internal enum ExitCause
{
    /// <summary>It ended by itself, or the agent stopped it: the agent knows which.</summary>
    ItselfOrAgent,

    /// <summary>Somebody stopped its unit by hand, and is to be respected.</summary>
    StoppedByHand,

    /// <summary>The host shuts down.</summary>
    HostStops,
}
