namespace Decant.Load;

/// <summary>How much of which traffic. Rates are requests a second and may be 0.</summary>
/// <param name="Url">The balancer.</param>
/// <param name="FastRate">Small answers over connections that are kept.</param>
/// <param name="NewConnectionRate">Small answers, each over a connection of its own.</param>
/// <param name="SlowRate">Answers that take <paramref name="SlowTime"/>.</param>
/// <param name="SlowTime">How long those take.</param>
/// <param name="StreamRate">Answers in chunks, over one second.</param>
/// <param name="UploadRate">Bodies of 256 KiB.</param>
/// <param name="Websockets">Clients that each keep one open and get ten echoes a second from it; not a rate.</param>
public sealed record LoadOptions(
    Uri Url,
    double FastRate = 400,
    double NewConnectionRate = 100,
    double SlowRate = 3,
    TimeSpan SlowTime = default,
    double StreamRate = 1,
    double UploadRate = 1,
    int Websockets = 0);
