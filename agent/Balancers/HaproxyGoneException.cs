using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;

namespace Decant.Agent.Balancers;

/// <summary>HAProxy does not answer: it is down, was restarted, or the socket is another program's.</summary>
[SuppressMessage("Design", "CA1032:Implement standard exception constructors", Justification = "It always says what to do.")]
internal sealed class HaproxyGoneException(string why, string whatNext, Exception? cause = null) : Exception(why, cause)
{
    /// <summary>What to do when it is probably down.</summary>
    public const string IsItRunning = "see whether HAProxy runs and look at its log";

    /// <summary>What the operator can do.</summary>
    public string WhatNext { get; } = whatNext;

    /// <summary>Why a connection was not made.</summary>
    public static HaproxyGoneException From(string path, SocketException failed) => failed.SocketErrorCode switch
    {
        _ when !File.Exists(path) && failed.SocketErrorCode != SocketError.AccessDenied => new HaproxyGoneException(
            $"{path} is not there", $"start HAProxy, and see that its global section has `stats socket {path} mode 660 level admin`", failed),
        SocketError.AccessDenied => new HaproxyGoneException(
            $"user {Environment.UserName}, as whom decantd runs, may not connect to {path}",
            $"give the socket a group that {Environment.UserName} is in: `stats socket {path} mode 660 group GROUP level admin` in HAProxy's global section",
            failed),
        SocketError.ConnectionRefused => new HaproxyGoneException($"nobody listens on {path}: HAProxy is down", "start HAProxy and look at its log for why it ended", failed),
        _ => new HaproxyGoneException($"{path}: {failed.Message}", IsItRunning, failed),
    };
}
