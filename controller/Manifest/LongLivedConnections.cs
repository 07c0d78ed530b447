namespace Decant.Controller.Manifest;

/// <summary>What becomes in a drain of connections that never finish by themselves: websockets, LiveView.</summary>
/// <param name="CloseAfter">Left alone for this long.</param>
/// <param name="Spread">Then closed one after the other over this time, so that reconnects do not stampede.</param>
public sealed record LongLivedConnections(TimeSpan CloseAfter, TimeSpan Spread);
