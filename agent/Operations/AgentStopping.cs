using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Operations;

/// <summary>What callers are told whose call ends because the agent does.</summary>
internal static class AgentStopping
{
    /// <summary>UNAVAILABLE AGENT_STOPPING.</summary>
    public static OperatorError Error { get; } = new(
        StatusCode.Unavailable, "AGENT_STOPPING", "the agent is stopping and takes no new work; its releases go on", "try again when it is back");
}
