namespace Decant.Controller.Tests.Execution;

/// <summary>What goes wrong with one run of a step in a simulation.</summary>
internal enum Fault
{
    None,

    /// <summary>The agent says no, and nothing was done.</summary>
    Fails,

    /// <summary>The connection breaks once before anything was done.</summary>
    BreaksBefore,

    /// <summary>The connection breaks once after it was done.</summary>
    BreaksAfter,

    /// <summary>The agent dies after it was done, comes back, and does not know how far it got.</summary>
    Interrupted,

    /// <summary>It is done, but nobody ever hears of it.</summary>
    Lost,

    /// <summary>The agent is gone from here on, with everything that it would have to do.</summary>
    AgentDies,

    /// <summary>It is done, and then the balancer does not answer any more: its agent says that nothing is known.</summary>
    FallsSilent,
}
