using Decant.Agent.Api;
using Decant.Errors;

namespace Decant.Agent.Tests.Api;

internal sealed class LogFollowersTests
{
    [Test]
    public void Only_so_many_follow_at_once_and_one_that_leaves_makes_room()
    {
        var followers = new LogFollowers();
        var present = Enumerable.Range(0, LogFollowers.Most).Select(_ => followers.Enter()).ToList();

        var refused = Assert.Throws<OperatorException>(() => followers.Enter());
        present[0].Dispose();
        using var next = followers.Enter();

        Assert.That(refused!.Error.Reason, Is.EqualTo("TOO_MANY_FOLLOWERS"));
    }
}
