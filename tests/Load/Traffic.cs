namespace Decant.Load;

/// <summary>Kinds of requests.</summary>
public enum Traffic
{
    /// <summary>Small answers over connections that are kept.</summary>
    Fast,

    /// <summary>Small answers, each over a connection of its own.</summary>
    NewConnection,

    /// <summary>Answers that take seconds.</summary>
    Slow,

    /// <summary>Answers in chunks.</summary>
    Stream,

    /// <summary>Bodies of 256 KiB, whose digest is checked.</summary>
    Upload,

    /// <summary>Messages over websockets that are kept open.</summary>
    Websocket,
}

/// <summary>One request and how it went.</summary>
/// <param name="Traffic">Its kind.</param>
/// <param name="At">When it was due, since the start of the run.</param>
/// <param name="Latency">From when it was due until its answer was there whole.</param>
/// <param name="Version">The release that answered; empty when none did.</param>
/// <param name="Failure">Null when it succeeded.</param>
/// <param name="Repeated">It was sent twice, because the kept connection that it was sent on first was closed before a byte of an answer came.</param>
public readonly record struct Sample(Traffic Traffic, TimeSpan At, TimeSpan Latency, string Version, string? Failure, bool Repeated = false);
