namespace Decant.Agent.Proxy;

/// <summary>The proxy does not do what it was asked for.</summary>
/// <param name="reason">For programs: MEMBER_NOT_UP, TOO_FEW_IN_ROTATION, …</param>
/// <param name="message">What, and how things are.</param>
/// <param name="whatNext">What to do.</param>
internal sealed class ProxyRefusalException(string reason, string message, string whatNext) : Exception(message)
{
    /// <summary>For programs.</summary>
    public string Reason => reason;

    /// <summary>What to do.</summary>
    public string WhatNext => whatNext;
}
