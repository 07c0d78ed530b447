using Decant.Agent.Configuration;
using Serilog;
using Serilog.Events;
using Serilog.Formatting.Compact;

namespace Decant.Agent.Hosting;

/// <summary>The agent's own log: for people on a console, for the journal under systemd, or as compact JSON.</summary>
internal static class AgentLogging
{
    /// <summary>Makes the logger that agent.yml asks for.</summary>
    /// <param name="settings">Level and format.</param>
    /// <param name="host">This host's name: in every line.</param>
    public static Serilog.Core.Logger Create(LoggingSettings settings, string host)
    {
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Is(ToSerilog(settings.Level))
            .Enrich.WithProperty(LogContext.Host, host)
            .Enrich.FromLogContext()
            // What ASP.NET Core says of every call is chatter here: operations log themselves.
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Grpc", LogEventLevel.Warning)
            // All that is left to it are messages that cannot be read, and those UnreadableMessages tells.
            .MinimumLevel.Override("Grpc.AspNetCore.Server.ServerCallHandler", LogEventLevel.Fatal)
            // A start that fails is told in one sentence, by Program.
            .MinimumLevel.Override("Microsoft.Extensions.Hosting", LogEventLevel.Fatal);
        return settings.Format == LogFormat.Json
                ? configuration.WriteTo.Console(new CompactJsonFormatter()).CreateLogger()
            : Systemd.IsThere
                ? configuration.WriteTo.Console(new JournalFormatter()).CreateLogger()
            : configuration.WriteTo.Console(new ConsoleFormatter()).CreateLogger();
    }

    private static LogEventLevel ToSerilog(LogLevel level) => level switch
    {
        LogLevel.Trace => LogEventLevel.Verbose,
        LogLevel.Debug => LogEventLevel.Debug,
        LogLevel.Information => LogEventLevel.Information,
        LogLevel.Warning => LogEventLevel.Warning,
        LogLevel.Error => LogEventLevel.Error,
        _ => LogEventLevel.Fatal,
    };
}
