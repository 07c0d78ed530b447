using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Names;

namespace Decant.Agent.Supervision;

/// <summary>What keeps a release running apart from the agent. An agent's stop, crash or restart never ends what a supervisor runs.</summary>
internal interface ISupervisor
{
    /// <summary>By its name in agent.yml and in the status: <c>process</c>.</summary>
    string Name { get; }

    /// <summary>Starts <c>bin/app start</c> in a slot.</summary>
    /// <param name="target">What, and where.</param>
    /// <param name="cancellation">Gives up before it is started.</param>
    /// <exception cref="Errors.OperatorException">START_FAILED.</exception>
    Task<ISupervisedProcess> StartAsync(ReleaseInSlot target, CancellationToken cancellation);

    /// <summary>Finds what runs in a slot since before this agent started; null when nothing does.</summary>
    ISupervisedProcess? Adopt(InstanceKey key);

    /// <summary>How the last process of a slot ended, where that was learned while no agent watched; null when it was not.</summary>
    ProcessExit? LastExit(InstanceKey key);

    /// <summary>A slot's output: the last lines, then what comes.</summary>
    InstanceLog Log(InstanceKey key);
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
internal sealed record ProcessExit(int? ExitCode, DateTimeOffset At);
